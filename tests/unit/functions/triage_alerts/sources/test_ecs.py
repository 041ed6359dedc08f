from tests.unit.functions.triage_alerts.payloads import observed


def test_a_task_says_how_its_containers_ended() -> None:
    task = observed("ecs/task_out_of_memory")
    assert (
        task.detail["container c0"]
        == "exit 137, OutOfMemoryError: Container killed due to memory usage"
    )
    assert task.detail["task definition"] == "web:5"
    assert observed("ecs/task_crashed").detail["container app"] == "exit 1"


def test_a_steady_service_does_not_resolve_its_failed_deployment() -> None:
    assert observed("ecs/service_steady").dedup_key == observed("ecs/service_impaired").dedup_key
    assert observed("ecs/service_steady").dedup_key != observed("ecs/deployment_failed").dedup_key
