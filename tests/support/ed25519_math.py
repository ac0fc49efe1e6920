"""Ed25519 in plain integers, for making signatures that a careless verifier would accept.

Slow and not constant-time: test code only. Formulae of RFC 8032.
"""

from hashlib import sha512

P = 2**255 - 19
L = 2**252 + 27742317777372353535851937790883648493
D = -121665 * pow(121666, P - 2, P) % P
ROOT = pow(2, (P - 1) // 4, P)

Point = tuple[int, int]
IDENTITY: Point = (0, 1)


def add(a: Point, b: Point) -> Point:
    """Sum of two affine points of the twisted Edwards curve."""
    product = D * a[0] * b[0] * a[1] * b[1] % P
    inverse = pow(1 - product * product, -1, P)
    x = (a[0] * b[1] + b[0] * a[1]) * (1 - product) * inverse % P
    y = (a[1] * b[1] + a[0] * b[0]) * (1 + product) * inverse % P
    return x, y


def multiply(scalar: int, point: Point) -> Point:
    """``scalar`` times ``point``."""
    total = IDENTITY
    while scalar:
        if scalar & 1:
            total = add(total, point)
        point, scalar = add(point, point), scalar >> 1
    return total


def x_of(y: int, odd: int) -> int | None:
    """The x with the wanted parity for y, None where there is no point."""
    square = (y * y - 1) * pow(D * y * y + 1, P - 2, P) % P
    x = pow(square, (P + 3) // 8, P)
    if x * x % P != square:
        x = x * ROOT % P
    if x * x % P != square:
        return None
    return x if x % 2 == odd else (-x) % P


BASE: Point = (x_of(4 * pow(5, P - 2, P) % P, 0) or 0, 4 * pow(5, P - 2, P) % P)


def encode(point: Point) -> bytes:
    """The one canonical encoding."""
    return (point[1] | (point[0] & 1) << 255).to_bytes(32, "little")


def small_order_points() -> list[Point]:
    """The eight points whose order divides eight."""
    y = next(y for y in range(2, 1000) if x_of(y, 0) is not None)
    while True:
        torsion = multiply(L, (x_of(y, 0) or 0, y))
        if multiply(4, torsion) != IDENTITY:
            return [multiply(i, torsion) for i in range(8)]
        y = next(v for v in range(y + 1, y + 1000) if x_of(v, 0) is not None)


def non_canonical_encodings(point: Point) -> list[bytes]:
    """Other encodings that a lax decoder takes for ``point``: y + p, and minus zero for x."""
    x, y = point
    found = []
    if y + P < 1 << 255:
        found.append((y + P | (x & 1) << 255).to_bytes(32, "little"))
    if x == 0:
        found.append((y | 1 << 255).to_bytes(32, "little"))
        if y + P < 1 << 255:
            found.append((y + P | 1 << 255).to_bytes(32, "little"))
    return found


def secret_scalar(seed: bytes) -> int:
    """The clamped scalar of a seed."""
    half = bytearray(sha512(seed).digest()[:32])
    half[0] &= 248
    half[31] = half[31] & 127 | 64
    return int.from_bytes(half, "little")


def challenge(commitment: bytes, pub_key: bytes, message: bytes) -> int:
    """k = SHA-512(R, A, M) mod L."""
    return int.from_bytes(sha512(commitment + pub_key + message).digest(), "little") % L


def equation_holds(
    key: Point, pub_key: bytes, message: bytes, commitment: Point, sig: bytes
) -> bool:
    """S B = R + k A without cofactor: all that a careless verifier looks at."""
    k = challenge(sig[:32], pub_key, message)
    s = int.from_bytes(sig[32:], "little")
    return multiply(s % L, BASE) == add(commitment, multiply(k, key))
