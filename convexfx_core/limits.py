"""Every bound of the system, with the reason for it.

A limit on everything keeps the arithmetic inside its widths and a stranger's input inside memory.
Codecs and L0 check the bounds, so that what comes later may rely on them.
"""

from typing import Final

ASSETS_MAX: Final = 64
"""Prices are solved by dense algebra in the number of assets."""
ORDERS_MAX: Final = 1 << 24
"""Witness order indices and flow sums stay far inside 64 and 128 bits."""
AMOUNT_MAX: Final = (1 << 62) - 1
"""paid * rate stays below 2^125, so it fits 128 bits."""
BALANCE_MAX: Final = (1 << 63) - 1
"""delta's holdings diff is a signed 64-bit integer."""
NONCE_MAX: Final = (1 << 63) - 1
"""The next nonce is one more, also in signed 64-bit columns."""
VALUE_MAX: Final = (1 << 80) - 1
"""Values in numeraire base units, so that X G X stays inside signed 256 bits."""
RISK_MAX: Final = (1 << 80) - 1
"""Entries of G, for the same reason."""
BAND_BPS_MAX: Final = 300
"""Widest band at which the eight-term logarithm is exact enough."""
FEE_PPM_MAX: Final = 100_000
"""A fee above ten percent is a typing error."""
EXPIRY_EPOCHS_MAX: Final = 1_440
"""The seen-set is bounded by it. An order lives at most eight hours in epochs of 20 seconds, the
interval of ``prefect.yaml``, and a day in epochs of a minute."""
DECIMALS_MAX: Final = 9
"""Amounts of everyday size stay inside 62 bits."""
MESSAGE_BYTES_MAX: Final = 200 * 1024
"""SQS carries 256 KiB; attributes and escapes need room."""
MESSAGE_ITEMS_MAX: Final = 1_000
"""One message is one unit of retry."""
BUNDLE_BYTES_MAX: Final = 512 * 1024 * 1024
"""A bundle is read whole into memory."""
OBJECT_BYTES_MAX: Final = 8 * 1024 * 1024 * 1024
"""The orders table of ORDERS_MAX orders; any other object of the bucket is shorter."""
SMALL_FILE_BYTES_MAX: Final = 16 * 1024
"""Key files, settings, headers: people write them, and YAML reads 100 bytes in a millisecond."""
TOKENS_BYTES_MAX: Final = 1024 * 1024
"""Tokens and parameters: 64 assets and a matrix of 64 x 64 decimals."""
BUNDLE_ITEMS_MAX: Final = 1 << 20
"""A million orders are one epoch."""
BUNDLE_ROW_BYTES_MIN: Final = 64
"""A signature does not compress: K orders take at least 64 K bytes in any bundle or table."""
BUNDLE_EXPANSION_MAX: Final = 32
"""Text of a gzipped bundle for each of its bytes; our wallets' orders reach eight."""
HASH_ROW_BYTES_MIN: Final = 32
"""The same for tables without signatures: every row has the hash of an order."""
ROWS_ANY_SIZE: Final = 1_000
"""Rows that no bytes are asked for, as many as a message may hold: a few rows may be equal."""
TEXT_BYTES_ANY_SIZE: Final = 1 << 20
"""The text of a thousand rows, and of the names in a table's dictionaries."""
FOOTER_BYTES_ANY_SIZE: Final = 1 << 16
"""A Parquet footer takes a kilobyte for a row group; a byte of one costs some hundred of memory."""
FOOTER_SHARE: Final = 256
"""Longer files may have a longer footer, one byte for so many."""
AUXILIARY_BYTES_MAX: Final = 1_024
"""Terms take 72 bytes; a wallet may add nothing that we do not read."""
ALLOWANCES_MAX: Final = 16
"""An order names one token; the codec allows a few."""
LIMIT_EXPONENT_MIN: Final = -192
LIMIT_EXPONENT_MAX: Final = 255
"""Every ratio of two prices that a rate shift can express, with room."""
RATE_SHIFT_MAX: Final = 126
"""(paid * rate) >> shift of a 128-bit product."""
