"""A shop's day as a DAG of Airflow 3: docs/daily.md.

The tasks are commands of m2trec, and exit codes 3 and 4, which are answers and no failures, skip what they
should. Where `drift` finds the new data unlike those of the current model, training starts from scratch;
where it finds nothing new, nothing follows. Where `promote` finds the model of today worse, or current
already, nothing is restarted.
"""

from datetime import datetime

from airflow.providers.standard.operators.bash import BashOperator
from airflow.sdk import DAG

CONFIG, CURRENT, TODAY = "shop.yaml", "runs/current", "runs/{{ ds }}"
THERE = f"-c {CONFIG} -s work_dir={TODAY}"
ANSWERED_NO, NOTHING_TO_DO = 3, 4
#: Airflow tells the two apart no more once a task is skipped.
ANSWER = f"{TODAY}/drift.answer"

with DAG(
    "m2trec_daily",
    schedule="15 3 * * *",
    start_date=datetime(2025, 1, 1),
    catchup=False,
    # A day goes on from the day before.
    max_active_runs=1,
    default_args={"retries": 1, "cwd": "/srv/shop"},
):
    data = BashOperator(task_id="data", bash_command=f"m2trec data {THERE}")
    drift = BashOperator(
        task_id="drift",
        bash_command=f"m2trec drift {CONFIG} -s work_dir={TODAY} --from {CURRENT}; "
        f"answer=$?; echo $answer > {ANSWER}; exit $answer",
        skip_on_exit_code=[ANSWERED_NO, NOTHING_TO_DO],
    )
    go_on = BashOperator(task_id="go_on", bash_command=f"m2trec train {THERE} --from {CURRENT}")
    from_scratch = BashOperator(
        task_id="from_scratch",
        bash_command=f"grep -qx {ANSWERED_NO} {ANSWER} || exit {NOTHING_TO_DO}; "
        f"m2trec preprocess {THERE} && m2trec train {THERE}",
        trigger_rule="all_skipped",
        skip_on_exit_code=NOTHING_TO_DO,
    )
    evaluate = BashOperator(
        task_id="evaluate",
        bash_command=f"m2trec evaluate {THERE}",
        trigger_rule="none_failed_min_one_success",
    )
    export = BashOperator(task_id="export", bash_command=f"m2trec export {THERE}")
    promote = BashOperator(
        task_id="promote",
        bash_command=f"m2trec promote {TODAY} --over {CURRENT} --margin 0.005",
        skip_on_exit_code=[ANSWERED_NO, NOTHING_TO_DO],
    )
    restart = BashOperator(task_id="restart", bash_command="systemctl restart m2trec")

    data >> drift >> [go_on, from_scratch] >> evaluate >> export >> promote >> restart
