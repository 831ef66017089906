#!/bin/sh
# Gives a rank of mpirun, mpiexec or srun one card of its host and hides the others, where the launcher does not: Vulkan takes the first
# card that it can open, whatever CUDA_VISIBLE_DEVICES says. Needs root, or a kernel that allows user namespaces.
#   mpirun -n 8 tools/one-card.sh ucgm train ...
# The card is the rank's number on its host, or CARD.
set -eu

card=${CARD:-${OMPI_COMM_WORLD_LOCAL_RANK:-${MPI_LOCALRANKID:-${SLURM_LOCALID:-}}}}
if [ -z "$card" ]; then
  echo "one-card.sh: no launcher gave this process a number on its host. Fix: start it by mpirun, mpiexec or srun, or set CARD" >&2
  exit 2
fi
if [ $# -eq 0 ]; then
  echo "one-card.sh: no command. Fix: one-card.sh ucgm train ..." >&2
  exit 2
fi

# The cards in the order of their numbers; in a container they need not begin at 0.
cards=$(find "${DEVICES:-/dev}" -maxdepth 1 -name 'nvidia[0-9]*' | sed 's/.*nvidia//' | sort -n)
count=$(echo "$cards" | grep -c . || true)
if [ "$card" -ge "$count" ]; then
  echo "one-card.sh: rank $card of this host, which has $count NVIDIA cards. Fix: start fewer ranks a host" >&2
  exit 2
fi
[ "$count" -eq 1 ] && exec "$@"

own=$(echo "$cards" | sed -n "$((card + 1))p")
hide=''
for other in $cards; do
  [ "$other" = "$own" ] || hide="$hide mount --bind /dev/null ${DEVICES:-/dev}/nvidia$other &&"
done
namespace='-m'
[ "$(id -u)" -eq 0 ] || namespace='-rm'
exec unshare $namespace sh -c "$hide exec \"\$@\"" one-card "$@"
