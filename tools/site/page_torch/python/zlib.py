"""The module zlib: its checksum."""

from binascii import crc32
