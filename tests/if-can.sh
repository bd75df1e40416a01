# Sourced by the tests that need more than a toolchain, as `. tests/if-can.sh NAME "$@"`: reads their one option, --if-can, and
# gives them `cannot REASON`, which ends the test; with the option as skipped, and else as failed.
test_name=$1 if_can=
case ${2:-} in
  --if-can) if_can=--if-can ;;
  '') ;;
  *) echo "usage: $0 [--if-can]" >&2; exit 2 ;;
esac
cannot() {
  echo "$test_name: $1" >&2
  [ "$if_can" ] || exit 1
  echo "$test_name: skipped" >&2
  exit 0
}
