#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-only
"""What the demo does to images and streams and no tool of Debian 12 can do without root.

    example.py readonly IMAGE SUBVOLID     mark a subvolume read-only
    example.py rebuild STREAM FILE NAME    write the file NAME of a stream to FILE

Shares no code with the toolkit, so that a stream it understands is one.  Made for the
small images of the demo: one device, a root tree of one leaf.
"""
import os
import struct
import subprocess
import sys

CRC_TABLE = []
for byte in range(256):
    for _ in range(8):
        byte = byte >> 1 ^ (0x82f63b78 if byte & 1 else 0)
    CRC_TABLE.append(byte)

SUPER_OFFSET = 65536
HEADER_SIZE = 101
ROOT_ITEM_KEY = 132
FLAGS_IN_ROOT_ITEM = 208
READ_ONLY = 1


def crc32c(data):
    crc = 0xffffffff
    for byte in data:
        crc = crc >> 8 ^ CRC_TABLE[(crc ^ byte) & 0xff]
    return crc ^ 0xffffffff


def copies_of(image, logical):
    """Where all copies of a block stand; Debian's own tool knows."""
    tool = "btrfs-map-logical"
    lines = subprocess.check_output([tool, "-l", str(logical), image], stderr=subprocess.DEVNULL)
    words = [line.split() for line in lines.decode().splitlines()]
    return [int(line[5]) for line in words if line[:1] == ["mirror"]]


def root_item_flags(leaf, subvolid):
    """Offset of the flags word in the leaf."""
    level, = struct.unpack_from("<B", leaf, HEADER_SIZE - 1)
    if level:
        raise SystemExit("the root tree has more than one leaf")
    for nr in range(struct.unpack_from("<I", leaf, HEADER_SIZE - 5)[0]):
        objectid, kind, _, offset = struct.unpack_from("<QBQI", leaf, HEADER_SIZE + nr * 25)
        if (objectid, kind) == (subvolid, ROOT_ITEM_KEY):
            return HEADER_SIZE + offset + FLAGS_IN_ROOT_ITEM
    raise SystemExit("no subvolume %d" % subvolid)


def set_readonly(image, subvolid):
    with open(image, "r+b") as file:
        file.seek(SUPER_OFFSET)
        sb = file.read(4096)
        root, = struct.unpack_from("<Q", sb, 80)
        nodesize, = struct.unpack_from("<I", sb, 148)
        for at in copies_of(image, root):
            file.seek(at)
            leaf = bytearray(file.read(nodesize))
            pos = root_item_flags(leaf, subvolid)
            flags, = struct.unpack_from("<Q", leaf, pos)
            struct.pack_into("<Q", leaf, pos, flags | READ_ONLY)
            struct.pack_into("<I", leaf, 0, crc32c(leaf[32:]))
            file.seek(at)
            file.write(leaf)


CMD_RENAME, CMD_WRITE, CMD_TRUNCATE = 9, 15, 17
ATTR_SIZE, ATTR_PATH, ATTR_PATH_TO, ATTR_FILE_OFFSET, ATTR_DATA = 4, 15, 16, 18, 19


def commands(stream):
    """(command, {attribute: bytes}) for each command of a stream of version 1."""
    if stream.read(13) != b"btrfs-stream\0":
        raise SystemExit("no send stream")
    stream.read(4)
    while header := stream.read(10):
        length, command = struct.unpack_from("<IH", header)
        body = stream.read(length)
        attrs, pos = {}, 0
        while pos < length:
            kind, size = struct.unpack_from("<HH", body, pos)
            attrs[kind] = body[pos + 4:pos + 4 + size]
            pos += 4 + size
        yield command, attrs


def rebuild(stream_path, out_path, name):
    """Files are made under a name of their own and renamed, so both names count."""
    names = {name}
    with open(stream_path, "rb") as stream:
        for command, attrs in commands(stream):
            if command == CMD_RENAME and attrs[ATTR_PATH_TO] == name:
                names.add(attrs[ATTR_PATH])
    with open(stream_path, "rb") as stream, open(out_path, "wb") as out:
        for command, attrs in commands(stream):
            if attrs.get(ATTR_PATH) not in names:
                continue
            if command == CMD_WRITE:
                out.seek(struct.unpack("<Q", attrs[ATTR_FILE_OFFSET])[0])
                out.write(attrs[ATTR_DATA])
            elif command == CMD_TRUNCATE:
                out.truncate(struct.unpack("<Q", attrs[ATTR_SIZE])[0])


def main(argv):
    if argv[1:2] == ["readonly"] and len(argv) == 4:
        set_readonly(argv[2], int(argv[3]))
    elif argv[1:2] == ["rebuild"] and len(argv) == 5:
        rebuild(argv[2], argv[3], os.fsencode(argv[4]))
    else:
        print(__doc__, file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv))
