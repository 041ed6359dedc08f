"""What was read, as JSON: the schemas of openapi.yaml. Nothing here reads anything."""

from datetime import datetime
from typing import Any

from fleet.dead_letters.causes import masked, outline
from fleet.dead_letters.letters import Letter
from fleet.findings import Severity
from fleet.ledger.mutes import Mute
from fleet_console.operations import LetterOutcomes, RequestedRun
from fleet_console.reading.findings import KnownFinding
from fleet_console.reading.jobs import JobSchedule, QueueCounts
from fleet_console.reading.letters import DeadLetter, DeadLetterGroup
from fleet_console.reading.logs import LogLine
from fleet_console.reading.mutes import in_force
from fleet_console.status import JobStatus

Json = dict[str, Any]


def job_as_json(status: JobStatus) -> Json:
    """Return the schema `Job`."""
    counts = status.open_findings
    return {
        "name": status.job.name,
        "summary": status.job.summary,
        "state": status.state,
        "trigger": status.job.trigger,
        "schedule": _schedule_as_json(status.schedule, status.next_due),
        "queue": _queue_as_json(status.queue),
        "last_report": status.last_report.isoformat() if status.reported else None,
        "runs": [{"at": run.at.isoformat(), "findings": run.findings} for run in status.runs],
        "findings_open": {severity.value: counts.get(severity, 0) for severity in Severity},
        "dead_letters": len(status.letters),
        "last_failure": _failure_as_json(status.last_failure),
    }


def run_as_json(run: RequestedRun) -> Json:
    """Return the schema `Begun`."""
    return {"job": run.job, "by": run.by, "id": run.id}


def log_line_as_json(line: LogLine) -> Json:
    """Return the schema `Line`."""
    return {
        "at": line.at.isoformat(),
        "level": line.level,
        "message": line.message,
        "fields": dict(line.fields),
    }


def finding_as_json(finding: KnownFinding) -> Json:
    """Return the schema `Finding`."""
    row = finding.row
    return {
        "id": finding.id,
        "source": row.source,
        "subject": row.subject,
        "dedup_key": row.dedup_key,
        "state": row.state,
        "severity": row.severity,
        "title": row.title,
        "detail": dict(row.detail),
        "link": row.link,
        "owner": row.owner,
        "opened_at": row.opened_at.isoformat(),
        "last_seen": row.last_seen.isoformat(),
        "count": row.count,
        "flapping": finding.flapping,
        "muted_by": finding.mute.id if finding.mute else None,
        "mute_pattern": finding.mute_pattern,
        "history": [
            {"at": moment.at.isoformat(), "status": moment.status, "severity": moment.severity}
            for moment in row.history
        ],
    }


def mute_as_json(mute: Mute, now: datetime) -> Json:
    """Return the schema `Mute`."""
    return {
        "id": mute.id,
        "pattern": mute.pattern,
        "reason": mute.reason,
        "author": mute.author,
        "until": mute.until.isoformat(),
        "active": in_force(mute, now),
    }


def cause_as_json(group: DeadLetterGroup) -> Json:
    """Return the schema `Cause`."""
    return {
        "id": group.cause.id,
        "job": group.cause.job,
        "error_type": group.cause.error_type,
        "reason": group.cause.reason,
        "count": group.count,
        "can_be_redriven": group.redrivable,
        "oldest": group.oldest.isoformat(),
        "newest": group.newest.isoformat(),
    }


def letter_as_json(letter: DeadLetter) -> Json:
    """Return the schema `Letter`."""
    return {
        "id": letter.id,
        "job": letter.job,
        "cause": letter.cause.id,
        "error_type": letter.error_type,
        "reason": letter.reason,
        "route": letter.route,
        "first_seen": letter.first_seen.isoformat(),
        "attempts": letter.attempts,
        "redrives": letter.redrives,
        "origin": letter.origin,
        "obstacle": letter.obstacle,
    }


def whole_letter_as_json(letter: Letter) -> Json:
    """Return the schema `WholeLetter`. In its event, what looks like a secret is masked."""
    return {
        **letter_as_json(DeadLetter.of(letter)),
        "outline": outline(letter.body),
        "body": masked(letter.body),
    }


def outcomes_as_json(done: LetterOutcomes) -> Json:
    """Return the schema `Done`."""
    outcomes = [
        {
            "letter": outcome.letter.id,
            "step": outcome.step,
            "detail": masked(outcome.detail),
        }
        for outcome in done.outcomes
    ]
    return {"outcomes": outcomes, "unseen": done.unseen}


def _schedule_as_json(schedule: JobSchedule | None, next_due: datetime | None) -> Json | None:
    if schedule is None:
        return None
    return {
        "expression": schedule.schedule.expression,
        "time_zone": schedule.schedule.zone,
        "enabled": schedule.enabled,
        "next_due": next_due.isoformat() if next_due else None,
        "fault": schedule.fault,
    }


def _queue_as_json(queue: QueueCounts | None) -> Json | None:
    if queue is None:
        return None
    return {"waiting": queue.waiting, "delayed": queue.delayed, "in_flight": queue.in_flight}


def _failure_as_json(letter: DeadLetter | None) -> Json | None:
    if letter is None:
        return None
    return {
        "letter": letter.id,
        "at": letter.first_seen.isoformat(),
        "error_type": letter.error_type,
        "reason": letter.reason,
    }
