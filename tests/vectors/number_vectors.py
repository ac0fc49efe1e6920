"""Writes ``tests/vectors/numbers``: integer arithmetic and the rules of ``convexfx_core.units``.

    python -m tests.vectors.number_vectors

Values stand where arithmetic of a fixed width goes wrong: at powers of two, next to them, negative.
"""

import random
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Final

from convexfx_core.limits import FEE_PPM_MAX, LIMIT_EXPONENT_MAX, LIMIT_EXPONENT_MIN
from convexfx_core.orders.row import MANTISSA_MAX, MANTISSA_MIN
from convexfx_core.units import (
    ceil_div,
    limit_rate,
    log_ratio,
    net_rate,
    partial_fill_shift,
    rate_shift,
)

FILE: Final = Path(__file__).parent / "numbers" / "numbers.tsv"
SEED: Final = 7
CASES: Final = 80
WIDE_BITS: Final = 383
RULES: dict[str, Callable[..., int]] = {
    "add": lambda a, b: a + b,
    "subtract": lambda a, b: a - b,
    "multiply": lambda a, b: a * b,
    "compare": lambda a, b: (a > b) - (a < b),
    "divide": lambda a, b: a // b,
    "divide_up": ceil_div,
    "shift_left": lambda a, k: a << k,
    "shift_right": lambda a, k: a >> k,
    "shift_right_up": lambda a, k: -(-a >> k),
    "divide_two_words": lambda high, low, divisor: ((high << 64) + low) // divisor,
    "quotient_word": lambda dividend, shift, divisor: (dividend << shift) // divisor,
    "log_ratio": log_ratio,
    "rate_shift": rate_shift,
    "limit_rate": limit_rate,
    "net_rate": net_rate,
    "partial_fill_shift": partial_fill_shift,
}


def edge(rng: random.Random, bits: int) -> int:
    """A number of at most ``bits`` bits, often a power of two or next to one."""
    size = rng.randint(0, bits)
    match rng.randrange(3):
        case 0:
            return rng.getrandbits(size) if size else 0
        case 1:
            return max(0, min((1 << bits) - 1, (1 << size) + rng.choice((-1, 0, 1))))
        case _:
            words = (rng.choice((0, 0, (1 << 64) - 1, rng.getrandbits(64))) for _ in range(6))
            return sum(word << (64 * at) for at, word in enumerate(words)) & ((1 << bits) - 1)


def signed(rng: random.Random, bits: int) -> int:
    return edge(rng, bits) * rng.choice((-1, 1))


def price(rng: random.Random) -> int:
    return max(1, edge(rng, 128))


def near(rng: random.Random, reference: int) -> int:
    """A price up to a few times the reference, most of them inside a band."""
    width = rng.choice((200, 32, 32, 33, 4, 2, 1))
    moved = reference + rng.choice((-1, 1)) * rng.randint(0, max(1, reference // width))
    return min(max(1, moved * rng.choice((1, 1, 1, 2, 3))), (1 << 128) - 1)


def arguments(rule: str, rng: random.Random) -> tuple[int, ...]:
    """Arguments of one case."""
    match rule:
        case "add" | "subtract" | "compare":
            a = signed(rng, WIDE_BITS - 1)
            return a, rng.choice((a, a + 1, signed(rng, WIDE_BITS - 1)))
        case "multiply":
            bits = rng.randint(0, WIDE_BITS)
            return signed(rng, bits), signed(rng, WIDE_BITS - bits)
        case "divide" | "divide_up":
            divisor = max(1, edge(rng, rng.choice((64, 128, 256, WIDE_BITS))))
            exact = divisor * edge(rng, WIDE_BITS - divisor.bit_length())
            a = rng.choice((exact, max(0, exact - 1), edge(rng, WIDE_BITS)))
            return a * rng.choice((-1, 1)), divisor
        case "shift_left":
            bits = rng.randint(0, WIDE_BITS)
            return signed(rng, WIDE_BITS - bits), bits
        case "shift_right" | "shift_right_up":
            return signed(rng, WIDE_BITS), rng.choice((0, 63, 64, 128, rng.randint(0, WIDE_BITS)))
        case "divide_two_words":
            divisor = max(1, edge(rng, rng.choice((32, 33, 63, 64))))
            high = min(edge(rng, 64), divisor - 1)
            return rng.choice((high, divisor - 1)), edge(rng, 64), divisor
        case "quotient_word":
            divisor, shift = price(rng), rng.randint(0, 127)
            whole = rng.choice((edge(rng, 64), (1 << 64) - 1, 1 << 64)) * divisor
            dividend = (whole >> shift) + rng.choice((-1, 0, 1, 2))
            return min(max(dividend, 0), (1 << 128) - 1), shift, divisor
        case "log_ratio":
            reference = price(rng)
            return near(rng, reference), reference
        case "rate_shift":
            pay = price(rng)
            return rng.choice((pay, near(rng, pay), price(rng))), pay
        case "limit_rate":
            exponent = rng.randint(LIMIT_EXPONENT_MIN, LIMIT_EXPONENT_MAX)
            shift = min(126, max(0, exponent - rng.choice((-1, 0, 1, 31, 62, 63, 64))))
            return rng.choice((MANTISSA_MIN, MANTISSA_MAX, near_mantissa(rng))), exponent, shift
        case "net_rate":
            return edge(rng, 63), rng.choice((0, 1, FEE_PPM_MAX, rng.randint(0, FEE_PPM_MAX)))
        case _:
            return (rng.randint(0, 9),)


def near_mantissa(rng: random.Random) -> int:
    return rng.randint(MANTISSA_MIN, MANTISSA_MAX)


def is_far(rule: str, given: tuple[int, ...]) -> bool:
    """Whether a logarithm is that of more than four times, or a quotient is no word."""
    if rule == "quotient_word":
        return RULES[rule](*given) >> 64 > 0
    return rule == "log_ratio" and ((given[0] - given[1]) << 64) // given[1] >= 1 << 66


def lines() -> Iterator[str]:
    """Rule, arguments, result, in decimal; ``far`` where that leaves the range of the rule."""
    rng = random.Random(SEED)
    for rule, function in RULES.items():
        for _ in range(CASES):
            given = arguments(rule, rng)
            result = "far" if is_far(rule, given) else str(function(*given))
            yield "\t".join((rule, " ".join(map(str, given)), result)) + "\n"


if __name__ == "__main__":
    FILE.write_text("".join(lines()))
