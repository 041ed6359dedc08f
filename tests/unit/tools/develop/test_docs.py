from tools import manifest
from tools.develop import docs


def test_the_table_has_a_row_for_each_job() -> None:
    rows = docs.job_table().splitlines()[2:]

    assert [row.split("](")[0].removeprefix("| [") for row in rows] == [
        job.name for job in manifest.jobs()
    ]


def test_only_the_marked_part_of_a_text_is_replaced() -> None:
    text = "before\n<!-- jobs -->\nold\n<!-- /jobs -->\nafter\n"

    written = docs.with_job_table(text)

    assert written == f"before\n<!-- jobs -->\n{docs.job_table()}<!-- /jobs -->\nafter\n"
    assert docs.with_job_table(written) == written
