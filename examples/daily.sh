#!/bin/sh
# A shop's day, to be called by cron once a night: docs/daily.md. Every step can be run again.
set -eu
config=${1:-shop.yaml}
current=${2:-runs/current}
today=${3:-runs/$(date +%F)}

m2trec data -c "$config" -s "work_dir=$today"

# Exit code 3 is an answer, and 4 says that nothing is to be done; all others but 0 are failures.
status=0
m2trec drift "$config" -s "work_dir=$today" --from "$current" || status=$?
case $status in
0)
    m2trec train -c "$config" -s "work_dir=$today" --from "$current"
    ;;
3)
    m2trec preprocess -c "$config" -s "work_dir=$today"
    m2trec train -c "$config" -s "work_dir=$today"
    ;;
4)
    echo "nothing is new since $current"
    exit 0
    ;;
*) exit "$status" ;;
esac
m2trec evaluate -c "$config" -s "work_dir=$today"
m2trec export -c "$config" -s "work_dir=$today"

status=0
m2trec promote "$today" --over "$current" --margin 0.005 || status=$?
case $status in
0) echo "restart the server of $current to serve $today" ;;
3) echo "$current stays as it was" ;;
*) exit "$status" ;;
esac
