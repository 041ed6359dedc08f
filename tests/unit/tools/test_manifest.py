from pathlib import Path

from tools import manifest

TEMPLATE = """
Conditions:
  HasName: !Not [!Equals [!Ref Name, ""]]
Resources:
  Queue:
    Condition: HasName
    Properties:
      Arn: !GetAtt Nested.Outputs.Arn
      Name: !Sub ${AWS::StackName}-queue
      Tags: !If [HasName, {Key: a, Value: !Ref Name}, !Ref AWS::NoValue]
      Both: !And [!Condition HasName, !Condition HasName]
"""


def test_intrinsic_functions_are_read_in_their_long_form(tmp_path: Path) -> None:
    path = tmp_path / "template.yaml"
    path.write_text(TEMPLATE)

    template = manifest.template(path)

    assert template["Conditions"] == {
        "HasName": {"Fn::Not": [{"Fn::Equals": [{"Ref": "Name"}, ""]}]}
    }
    assert template["Resources"]["Queue"] == {
        "Condition": "HasName",
        "Properties": {
            "Arn": {"Fn::GetAtt": ["Nested", "Outputs.Arn"]},
            "Name": {"Fn::Sub": "${AWS::StackName}-queue"},
            "Tags": {
                "Fn::If": [
                    "HasName",
                    {"Key": "a", "Value": {"Ref": "Name"}},
                    {"Ref": "AWS::NoValue"},
                ]
            },
            "Both": {"Fn::And": [{"Condition": "HasName"}, {"Condition": "HasName"}]},
        },
    }


def test_every_job_has_its_trigger_in_words() -> None:
    jobs = {job.name: job for job in manifest.jobs()}

    assert jobs["paused_pipelines"].kind == "schedule"
    assert jobs["paused_pipelines"].trigger == "schedule, every 12 hours (`cron(0 8,20 * * ? *)`)"
    assert jobs["start_pipeline"].kind == "queue"
    assert jobs["start_pipeline"].expression == ""


def test_names_and_logical_ids_lead_to_each_other() -> None:
    for job in manifest.jobs():
        assert manifest.snake_case(manifest.logical_id(job.name)) == job.name
