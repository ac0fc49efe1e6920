"""Whatever goes wrong on the way, a commit's outcome tells the truth about what is stored."""

from concurrent.futures import ThreadPoolExecutor

from hypothesis import given, settings
from hypothesis import strategies as st

from convexfx_core.errors import CommitConflict, CommitUnknown, ConvexFxError, PeerUnreachable
from tasks.adapters.injected_faults import Fault, Faults
from tasks.adapters.memory import MemoryObjects, MemoryStore
from tasks.ports import PutResult

NETWORK_FAULTS = [Fault.LOSE_ANSWER, Fault.LOSE_REQUEST, Fault.BUSY, Fault.UNSENT]
BODIES = [b"a", b"b", b"c"]
KEYS = ["m", "n"]

faults = st.lists(
    st.tuples(
        st.sampled_from(["put", "get"]), st.sampled_from(NETWORK_FAULTS), st.integers(0, 6),
        st.integers(1, 7),
    ),
    max_size=6,
)  # fmt: skip
writes = st.lists(st.tuples(st.sampled_from(KEYS), st.sampled_from(BODIES)), max_size=12)
Plans = list[tuple[str, Fault, int, int]]


def store_with(plans: Plans, *, conditional: bool = True) -> MemoryStore:
    planned = Faults()
    for operation, fault, skip, times in plans:
        planned.plan(operation, fault, skip=skip, times=times)
    return MemoryStore(planned, conditional=conditional)


def stored(store: MemoryStore, key: str) -> bytes | None:
    """What really stands there, past every fault."""
    assert isinstance(store.objects, MemoryObjects)
    return store.objects.bodies.get(key)


def put(store: MemoryStore, key: str, body: bytes) -> PutResult | ConvexFxError:
    try:
        return store.put_new(key, body)
    except (CommitConflict, CommitUnknown, PeerUnreachable) as error:
        return error


@settings(max_examples=300, deadline=None)
@given(plans=faults, sequence=writes)
def test_an_outcome_is_true_and_the_first_bytes_stay(
    plans: Plans, sequence: list[tuple[str, bytes]]
) -> None:
    store = store_with(plans)
    for key, body in sequence:
        before = stored(store, key)
        outcome = put(store, key, body)
        after = stored(store, key)
        if before is not None:
            assert after == before
        if isinstance(outcome, PutResult):
            assert after == body
        if outcome is PutResult.CREATED:
            assert before is None
        if isinstance(outcome, CommitConflict):
            assert after not in (None, body)
        if isinstance(outcome, PeerUnreachable):
            assert after == before


@settings(max_examples=200, deadline=None)
@given(plans=faults, bodies=st.lists(st.sampled_from(BODIES), min_size=1, max_size=12))
def test_a_replacement_that_is_told_done_stands(plans: Plans, bodies: list[bytes]) -> None:
    store = store_with(plans)
    tag: str | None = None
    for body in bodies:
        before = stored(store, "HEAD")
        try:
            tag = store.put_if_match("HEAD", body, tag)
        except CommitConflict:
            assert stored(store, "HEAD") not in (None, body)
            break
        except PeerUnreachable:
            assert stored(store, "HEAD") == before
            break
        except CommitUnknown:
            assert stored(store, "HEAD") in (before, body)
            break
        assert stored(store, "HEAD") == body


@settings(max_examples=60, deadline=None)
@given(plans=faults, racers=st.lists(st.sampled_from(BODIES), min_size=2, max_size=6))
def test_racers_agree_on_one_winner(plans: Plans, racers: list[bytes]) -> None:
    store = store_with(plans)
    with ThreadPoolExecutor(len(racers)) as pool:
        outcomes = list(pool.map(lambda body: put(store, "m", body), racers))
    winner = stored(store, "m")
    done = [b for b, o in zip(racers, outcomes, strict=True) if isinstance(o, PutResult)]
    lost = [b for b, o in zip(racers, outcomes, strict=True) if isinstance(o, CommitConflict)]
    assert set(done) <= {winner}
    assert winner not in lost
    assert sum(outcome is PutResult.CREATED for outcome in outcomes) <= 1


def test_canary_without_conditions_the_first_bytes_do_not_stay() -> None:
    store = store_with([], conditional=False)
    assert put(store, "m", b"a") is PutResult.CREATED
    assert put(store, "m", b"b") is PutResult.CREATED
    assert stored(store, "m") == b"b"
