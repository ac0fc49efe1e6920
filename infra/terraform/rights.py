"""Who may do what: the table that the policy texts must agree with, row by row."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from infra.terraform.policy import Document, Request, is_allowed

ADMINISTRATOR: Document = {"Statement": [{"Effect": "Allow", "Action": "*", "Resource": "*"}]}
CREATE, REPLACE = "s3:if-none-match", "s3:if-match"
TAKING = (
    "CancelMessageMoveTask", "ChangeMessageVisibility", "DeleteMessage", "DeleteQueue",
    "PurgeQueue", "ReceiveMessage", "SetQueueAttributes", "StartMessageMoveTask",
)  # fmt: skip
SEALING = (
    "ChangeMessageVisibility", "DeleteMessage", "GetQueueAttributes", "GetQueueUrl",
    "ReceiveMessage", "SendMessage",
)  # fmt: skip
CHAIN = (
    "epochs/00000001/outcome.json", "state/00000001.parquet", "proofs/ab/attested/proof.bin",
    "rejects/ab.json",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Policies:
    """The documents as they stand in the account, and the ARNs they speak of."""

    bucket_arn: str
    inbox_arn: str
    dead_letter_arn: str
    bucket: Document
    inbox: Document
    dead_letters: Document
    wallet: Document
    sealer: Document


@dataclass(frozen=True, slots=True)
class Right:
    """One row: the actor, what it tries in words, the request, and whether it may."""

    actor: str
    attempt: str
    request: Request
    granted: bool


def rights(policies: Policies) -> list[Right]:
    """The whole table for these ARNs."""
    return [
        *_wallet(policies),
        *_sealer_queue(policies),
        *_sealer_objects(policies),
        *_administrator(policies),
    ]


def broken_rights(policies: Policies) -> list[str]:
    """Rows on which the documents disagree with the table, one line each; empty when all hold."""
    actors: Mapping[str, list[Document]] = {
        "wallet": [policies.wallet],
        "wallet with every right": [policies.wallet, ADMINISTRATOR],
        "sealer": [policies.sealer],
        "administrator": [ADMINISTRATOR],
    }
    resources = [policies.bucket, policies.inbox, policies.dead_letters]
    return [
        f"{row.actor} {row.attempt}: expected {_word(row.granted)}, is {_word(not row.granted)}"
        for row in rights(policies)
        if is_allowed([*actors[row.actor], *resources], row.request) != row.granted
    ]


def _word(granted: bool) -> str:
    return "allowed" if granted else "refused"


def _call(action: str, arn: str, secure: bool = True) -> Request:
    return Request(action, arn, {"aws:SecureTransport": str(secure).lower()})


def _put(policies: Policies, key: str, *headers: str, whole: bool = True) -> Request:
    """A put of an object (or, not ``whole``, of a part of a multipart upload)."""
    context = {"aws:SecureTransport": "true", "s3:ObjectCreationOperation": str(whole).lower()}
    context |= dict.fromkeys(headers, "*")
    return Request("s3:PutObject", f"{policies.bucket_arn}/{key}", context)


def _rows(actor: str, granted: bool, attempts: Iterable[tuple[str, Request]]) -> list[Right]:
    return [Right(actor, attempt, request, granted) for attempt, request in attempts]


def _wallet(p: Policies) -> list[Right]:
    bundle = f"{p.bucket_arn}/inbox/ab.parquet"
    may = [
        ("sends", _call("sqs:SendMessage", p.inbox_arn)),
        ("looks up the queue", _call("sqs:GetQueueUrl", p.inbox_arn)),
        ("puts a bundle", _put(p, "inbox/ab.parquet")),
        # After a 412 it compares; who knows the name, a SHA-256, knows the content already.
        ("reads a bundle", _call("s3:GetObject", bundle)),
    ]
    may_not = [
        ("sends in the clear", _call("sqs:SendMessage", p.inbox_arn, secure=False)),
        ("puts a bundle in the clear", _call("s3:PutObject", bundle, secure=False)),
        ("sends to the dead letters", _call("sqs:SendMessage", p.dead_letter_arn)),
        ("deletes a bundle", _call("s3:DeleteObject", bundle)),
        ("reads an outcome", _call("s3:GetObject", f"{p.bucket_arn}/{CHAIN[0]}")),
        ("lists the bucket", _call("s3:ListBucket", p.bucket_arn)),
        ("puts a manifest", _put(p, "epochs/00000001/manifest.json", CREATE)),
        ("puts the head", _put(p, "state/HEAD", REPLACE)),
    ]
    never = [
        (f"calls {action} on {arn.rsplit(':', 1)[1]}", _call(f"sqs:{action}", arn))
        for action in TAKING
        for arn in (p.inbox_arn, p.dead_letter_arn)
    ]
    return [
        *_rows("wallet", True, may),
        *_rows("wallet", False, [*may_not, *never]),
        *_rows("wallet with every right", False, never),
    ]


def _sealer_queue(p: Policies) -> list[Right]:
    copying = ("GetQueueAttributes", "GetQueueUrl", "SendMessage")
    may = [
        *(
            (f"calls {action} on the inbox", _call(f"sqs:{action}", p.inbox_arn))
            for action in SEALING
        ),
        *(
            (f"calls {a} on the dead letters", _call(f"sqs:{a}", p.dead_letter_arn))
            for a in copying
        ),
    ]
    may_not = [
        ("purges the inbox", _call("sqs:PurgeQueue", p.inbox_arn)),
        ("receives dead letters", _call("sqs:ReceiveMessage", p.dead_letter_arn)),
        ("receives in the clear", _call("sqs:ReceiveMessage", p.inbox_arn, secure=False)),
        ("copies poison in the clear", _call("sqs:SendMessage", p.dead_letter_arn, secure=False)),
    ]
    return [*_rows("sealer", True, may), *_rows("sealer", False, may_not)]


def _sealer_objects(p: Policies) -> list[Right]:
    reading = ("GetObject", "GetObjectVersion", "AbortMultipartUpload", "ListMultipartUploadParts")
    outcome = f"{p.bucket_arn}/{CHAIN[0]}"
    may = [
        *((f"creates {key}", _put(p, key, CREATE)) for key in CHAIN),
        *((f"calls {action}", _call(f"s3:{action}", outcome)) for action in reading),
        ("uploads a part", _put(p, CHAIN[1], whole=False)),
        ("creates the head", _put(p, "state/HEAD", CREATE)),
        ("moves the head", _put(p, "state/HEAD", REPLACE)),
        ("keeps a task's result", _put(p, "results/ab")),
        ("clears its self-test", _call("s3:DeleteObject", f"{p.bucket_arn}/selftest/ab")),
        ("lists the bucket", _call("s3:ListBucket", p.bucket_arn)),
        ("asks where the bucket is", _call("s3:GetBucketLocation", p.bucket_arn)),
    ]
    may_not = [
        *((f"puts {key} unconditionally", _put(p, key)) for key in CHAIN),
        *((f"replaces {key}", _put(p, key, REPLACE)) for key in CHAIN),
        ("overwrites the head blindly", _put(p, "state/HEAD")),
        ("deletes an outcome", _call("s3:DeleteObject", outcome)),
        ("deletes a bundle", _call("s3:DeleteObject", f"{p.bucket_arn}/inbox/ab.parquet")),
        ("reads in the clear", _call("s3:GetObject", outcome, secure=False)),
        ("lists in the clear", _call("s3:ListBucket", p.bucket_arn, secure=False)),
    ]
    return [*_rows("sealer", True, may), *_rows("sealer", False, may_not)]


def _administrator(p: Policies) -> list[Right]:
    may = [("deletes a bundle", _call("s3:DeleteObject", f"{p.bucket_arn}/inbox/ab.parquet"))]
    may_not = [
        ("overwrites an outcome", _put(p, CHAIN[0])),
        *(
            (f"calls {action} on {key}", _call(f"s3:{action}", f"{p.bucket_arn}/{key}"))
            for action in ("DeleteObject", "DeleteObjectVersion")
            for key in CHAIN
        ),
    ]
    return [*_rows("administrator", True, may), *_rows("administrator", False, may_not)]
