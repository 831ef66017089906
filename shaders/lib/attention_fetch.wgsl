// attention_fetch: what tiled attention fetches from storage into registers, to be staged (lib attention_product).
// Needs in the kernel: lib attention_product; const Q, K, V (Q and K the least), fn element(source, at) -> vec4f: element `at` of the operand
// of that name; const HEAD_DIM, VALUE_DIM, VEC.

// The rows of one head in an operand: row i is the first + i * step.
struct Rows {
  first: u32,
  count: u32,
  step: u32,
}

fn width_of(source: u32) -> u32 {
  return select(HEAD_DIM, VALUE_DIM, source >= V);
}

// Four elements from d of a row; zero past the row's end, as far as products read them.
fn load(source: u32, operand: Rows, row: u32, d: u32) -> vec4f {
  let width = width_of(source);
  let at = (operand.first + row * operand.step) * width + d;
  if (VEC) {
    return element(source, at / 4u); // past the row's end no product reads it
  }
  if (d >= width) {
    return vec4f();
  }
  let step = min(vec4u(0u, 1u, 2u, 3u), vec4u(width - 1u - d));
  let four = vec4f(element(source, at).x, element(source, at + step.y).x, element(source, at + step.z).x, element(source, at + step.w).x);
  return select(vec4f(), four, step == vec4u(0u, 1u, 2u, 3u));
}

// Fetches item `item` of an operand: 4 rows x 4 elements. A row past the end is the last one: its scores are hidden, or no part of a result.
fn fetch_item(next: ptr<function, Fetched>, at: u32, source: u32, operand: Rows, first_row: u32, d: u32, item: u32) {
  let row = first_row + 4u * (item / 4u);
  let last = max(operand.count, 1u) - 1u;
  let element_from = d + 4u * (item % 4u);
  (*next)[at] = load(source, operand, min(row, last), element_from);
  (*next)[at + 1u] = load(source, operand, min(row + 1u, last), element_from);
  (*next)[at + 2u] = load(source, operand, min(row + 2u, last), element_from);
  (*next)[at + 3u] = load(source, operand, min(row + 3u, last), element_from);
}

// The operands of scores: of the rows and of the columns.
struct Pair {
  rows: Rows,
  cols: Rows,
  first_row: u32,
}

// Fetches STEP elements from d of ROWS rows of operand a and COLS, from `first_col` on, of operand b.
fn fetch_chunk(next: ptr<function, Fetched>, a: u32, b: u32, pair: Pair, first_col: u32, d: u32, local: u32) {
  if (local < ROWS) {
    fetch_item(next, 0u, a, pair.rows, pair.first_row, d, local);
  } else if (local < ROWS + COLS) {
    fetch_item(next, 0u, b, pair.cols, first_col, d, local - ROWS);
  }
  if (ROWS + COLS > THREADS) {
    let item = local + THREADS;
    if (item < ROWS) {
      fetch_item(next, 4u, a, pair.rows, pair.first_row, d, item);
    } else if (item < ROWS + COLS) {
      fetch_item(next, 4u, b, pair.cols, first_col, d, item - ROWS);
    }
  }
}

// Fetches the values of a row for a line: 8 neighbours have it, quads 8 apart.
fn fetch_line(next: ptr<function, Fetched>, at: u32, source: u32, operand: Rows, row: u32, local: u32) {
  let quad = local % 8u;
  let seen = row < operand.count; // else zero: what is past the end may be infinite
  fetch_quad(next, at, source, operand, row, quad, seen);
  if (VALUE_QUADS > 8u) { fetch_quad(next, at + 1u, source, operand, row, quad + 8u, seen); }
  if (VALUE_QUADS > 16u) { fetch_quad(next, at + 2u, source, operand, row, quad + 16u, seen); }
  if (VALUE_QUADS > 24u) { fetch_quad(next, at + 3u, source, operand, row, quad + 24u, seen); }
}

fn fetch_quad(next: ptr<function, Fetched>, at: u32, source: u32, operand: Rows, row: u32, quad: u32, seen: bool) {
  (*next)[at] = vec4f();
  if (seen && 4u * quad < width_of(source)) {
    (*next)[at] = load(source, operand, row, 4u * quad);
  }
}

// Which of a block's columns line `line` of a slice is.
fn column_of(slice: u32, line: u32) -> u32 {
  return column(slice * EACH + line / LANES, line % LANES);
}

// Fetches the values of a slice of the block's columns from `first_col` on.
fn fetch_values(next: ptr<function, Fetched>, source: u32, operand: Rows, first_col: u32, slice: u32, local: u32) {
  fetch_line(next, 0u, source, operand, first_col + column_of(slice, local / 8u), local);
  if (LANES == 8u) {
    fetch_line(next, 4u, source, operand, first_col + column_of(slice, local / 8u + 8u), local);
  }
}
