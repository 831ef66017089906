// runs: long sums as sums of runs of RUN terms, and of blocks of RUN runs, so that no chain of additions is long and rounding does not
// grow with the number of terms: some 1e-6 of the sum for 1e7 positive ones, where one chain may lose half of them.
// Needs in the kernel: alias Summed, what is added up (f32 or a vector of them).

const RUN: u32 = 256u;

struct Runs {
  total: Summed,
  block: Summed,
  count: u32,
}

fn add_run(runs: ptr<function, Runs>, run: Summed) {
  (*runs).block += run;
  (*runs).count++;
  if ((*runs).count % RUN == 0u) {
    (*runs).total += (*runs).block;
    (*runs).block = Summed();
  }
}

fn sum_of(runs: Runs) -> Summed {
  return runs.total + runs.block;
}
