"""Shapes of the API's answers. Amounts are decimal strings in units of their asset; every
``*_base_units`` is the same amount as a string of whole base units."""

from typing import Any

from pydantic import BaseModel, ConfigDict, Field


class Answer(BaseModel):
    """Base of all answers."""

    model_config = ConfigDict(extra="forbid")


class AssetAnswer(Answer):
    """An asset of the domain."""

    id: str
    decimals: int
    token: str


class DomainAnswer(Answer):
    """What a wallet must know before it signs."""

    network: str
    pool: str
    assets: list[AssetAnswer]


class Fill(Answer):
    """What an order paid and got; ``received`` is net of ``fee``, both of the receive asset."""

    paid: str
    received: str
    fee: str
    paid_base_units: str
    received_base_units: str
    fee_base_units: str


class OrderAnswer(Answer):
    """An order. ``state`` and ``status`` are the same word; a ``final`` one never changes."""

    order_id: str
    state: str
    status: str
    final: bool
    epoch: int | None
    reason: str | None
    fill: Fill | None
    filling_limit: str | None
    kind: str | None
    owner: str | None
    nonce: int | None
    pay_asset: str | None
    receive_asset: str | None
    budget: str | None
    budget_base_units: str | None


class VaultAnswer(Answer):
    """A vault: as the gateway sees it now, with the open orders that this API knows."""

    owner: str
    address: str
    exists: bool
    balances: dict[str, str]
    balances_base_units: dict[str, str]
    nonce: int
    next_nonce: int
    next_order_nonce: int
    open_orders: list[OrderAnswer]
    open_orders_count: int


class SubmissionAnswer(Answer):
    """What became of one item of ``POST /verifiables``."""

    status: str = Field(description="queued or rejected")
    order_id: str | None = None
    code: str | None = None
    detail: str | None = None


class IntervalAnswer(Answer):
    """Ends of an interval."""

    low: str
    high: str


class PreviewAnswer(Answer):
    """What an order would get now. Rates are units received for one unit paid, net of the fee;
    ``interval`` holds every rate that an epoch with these reference prices can give."""

    epoch: int
    pay_asset: str
    receive_asset: str
    budget: str
    status: str = Field(description="filled, partial or unfilled")
    reason: str | None
    paid: str
    received: str
    fee: str
    rate: str
    limit_ratio: str = Field(description="least limit ratio that this rate fills")
    rate_without: str = Field(description="rate of the open batch without this order")
    reference_rate: str
    price_impact_bps: str = Field(description="how much worse the order makes its own rate")
    interval: IntervalAnswer
    orders: int = Field(description="orders in the open batch")
    solver: str
    reference_published: str


class RefusalAnswer(Answer):
    """What aborted an epoch, as data; ``reason`` beside it is the same in one line."""

    code: str = Field(description="L and the number of a law, a code of the error, or an SDL phase")
    law: int | None = Field(description="number of the violated law, null where it was no law")
    index: int | None = Field(description="order, asset, row or field that violates it, by law")
    expected: str
    observed: str | None


class EpochAnswer(Answer):
    """An epoch in the list."""

    epoch: int
    status: str = Field(description="sealed, settled or aborted")
    reason: str | None
    refusal: RefusalAnswer | None = Field(description="null unless it was aborted")
    mode: str | None
    mode_text: str
    sdl_hash: str | None
    settled_at: str | None
    orders: dict[str, int]
    fills: int | None
    stages_ms: dict[str, int]
    outcome_sha256: str | None


class PriceAnswer(Answer):
    """Clearing and reference price of an asset, numeraire units for one unit."""

    clearing: str | None
    clearing_p64: str | None
    reference: str


class EpochDetail(EpochAnswer):
    """One epoch."""

    parent: str
    candidates: int
    admitted: int
    params_hash: str
    program_hash: str
    code: str
    reference_source: str
    reference_published: str
    reference_as_of: str
    prices: dict[str, PriceAnswer]
    fees_accrued: dict[str, str]
    gap_base_units: str | None
    links: dict[str, str]


class EpochsAnswer(Answer):
    """Epochs, the latest first; ``next_before`` asks for the ones before them."""

    head: int
    sealed: int | None
    epochs: list[EpochAnswer]
    next_before: int | None


class FillsAnswer(Answer):
    """Orders of an epoch by owner and nonce; ``next_offset`` asks for more."""

    epoch: int
    count: int
    fills: list[OrderAnswer]
    next_offset: int | None


class ProofAnswer(Answer):
    """The proof that settled an epoch; ``mode`` is always named."""

    epoch: int
    mode: str
    is_proof: bool
    note: str
    sdl_hash: str | None
    job_id: str | None
    program_hash: str | None
    public_values: str | None
    proof: str | None = Field(description="base64")
    proof_sha256: str | None
    description: dict[str, Any] | None


class ObjectAnswer(Answer):
    """An object of the bucket; ``recorded_in`` is the object that holds its hash."""

    key: str
    sha256: str
    recorded_in: str | None
    url: str


class ObjectsAnswer(Answer):
    """Every object of an epoch."""

    epoch: int
    objects: list[ObjectAnswer]


class DependencyAnswer(Answer):
    """One thing that the exchange needs; ``missing`` says what is wrong with it."""

    ready: bool
    missing: str | None


class ReadyAnswer(Answer):
    """Whether everything is there."""

    ready: bool
    dependencies: dict[str, DependencyAnswer]


class CodesAnswer(Answer):
    """The closed lists of codes."""

    problems: dict[str, str]
    rejects: list[str]
    parks: list[str]
    states: list[str]


class ProblemAnswer(Answer):
    """An error (``application/problem+json``)."""

    type: str
    title: str
    status: int
    code: str
    detail: str
