#!/usr/bin/python3
"""Random operations on the current folder, the same ones for the same seed.

    randops.py SEED NOPS [--profile names|data|all]

Everything that can happen to a subvolume between two snapshots: names come, go
and change places, files are written, cloned and punched, attributes change.
Names are drawn from a small pool, so that an operation often meets what an
earlier one left; one that the file system refuses counts, and changes nothing.

What is done depends on the seed and on what is in the folder, on nothing else.
"names" leaves file data alone but for small files, "data" keeps to few names.
"""

import argparse
import ctypes
import errno
import fcntl
import os
import random
import shutil
import stat
import struct
import sys

FICLONERANGE = 0x4020940D
FALLOC_KEEP_SIZE = 1
FALLOC_PUNCH_HOLE = 2
FALLOC_ZERO_RANGE = 16
AT_FDCWD = -100
RENAME_EXCHANGE = 2

NAMES = ["a", "b", "c", "d", "e", "f", "x1", "x2", "y" * 40, "z" * 200]
XATTRS = ["user.one", "user.two", "user.three", "trusted.t", "security.s"]
BLOCK = 4096

libc = ctypes.CDLL(None, use_errno=True)


def checked(result):
    if result < 0:
        code = ctypes.get_errno()
        raise OSError(code, os.strerror(code))


def renameat2(old, new, flags):
    checked(libc.renameat2(AT_FDCWD, os.fsencode(old), AT_FDCWD, os.fsencode(new), flags))


def fallocate(fd, mode, offset, length):
    checked(libc.fallocate(fd, mode, ctypes.c_longlong(offset), ctypes.c_longlong(length)))


class Tree:
    """What is in the folder, in an order that does not depend on the disk."""

    def __init__(self):
        self.stale = True

    def look(self):
        if not self.stale:
            return
        self.dirs, self.files, self.others = ["."], [], []
        pending = ["."]
        while pending:
            folder = pending.pop()
            for name in sorted(os.listdir(folder)):
                path = os.path.join(folder, name)
                mode = os.lstat(path).st_mode
                if stat.S_ISDIR(mode):
                    self.dirs.append(path)
                    pending.append(path)
                elif stat.S_ISREG(mode):
                    self.files.append(path)
                else:
                    self.others.append(path)
        self.stale = False


class Operations:
    """Each public method is one operation; it may raise OSError."""

    def __init__(self, seed, max_file):
        self.random = random.Random(seed)
        self.tree = Tree()
        self.max_file = max_file

    # --- choices ---

    def any_dir(self):
        self.tree.look()
        return self.random.choice(self.tree.dirs)

    def inner_dir(self):
        self.tree.look()
        return self.pick(self.tree.dirs[1:])

    def any_file(self):
        self.tree.look()
        return self.pick(self.tree.files)

    def anything(self):
        self.tree.look()
        return self.pick(self.tree.dirs[1:] + self.tree.files + self.tree.others)

    def anything_or_top(self):
        self.tree.look()
        return self.random.choice(self.tree.dirs + self.tree.files + self.tree.others)

    def pick(self, choices):
        if not choices:
            raise OSError(errno.ENOENT, "nothing there")
        return self.random.choice(choices)

    def new_path(self):
        name = self.random.choice(NAMES)
        if self.random.random() < 0.3:
            name += str(self.random.randrange(20))
        return os.path.join(self.any_dir(), name)

    def offset(self, limit):
        """Often aligned, now and then anything."""
        value = self.random.randrange(limit + 1)
        return value if self.random.random() < 0.3 else value // BLOCK * BLOCK

    def length(self):
        most = self.random.choice([100, 3000, 3 * BLOCK, 40 * BLOCK, 100 * BLOCK])
        value = self.random.randrange(1, most + 1)
        return value if self.random.random() < 0.4 else -(-value // BLOCK) * BLOCK

    def bytes(self, length):
        kind = self.random.randrange(4)
        if kind == 0:
            return bytes(length)
        if kind == 1:
            word = b"%016x\n" % self.random.getrandbits(64)
            return (word * (length // len(word) + 1))[:length]
        return self.random.randbytes(length)

    # --- names ---

    def create(self):
        with open(self.new_path(), "xb") as file:
            file.write(self.bytes(self.random.choice([0, 10, 2000, 5000])))

    def mkdir(self):
        os.mkdir(self.new_path())

    def rename(self):
        os.rename(self.anything(), self.new_path())

    def rename_over(self):
        os.rename(self.anything(), self.anything())

    def move_into(self):
        path = self.anything()
        os.rename(path, os.path.join(self.any_dir(), os.path.basename(path)))

    def move_dir(self):
        path = self.inner_dir()
        os.rename(path, os.path.join(self.any_dir(), os.path.basename(path)))

    def exchange(self):
        renameat2(self.anything(), self.anything(), RENAME_EXCHANGE)

    def parent_with_child(self):
        """The child goes to the parent's place, the parent into it."""
        child = self.inner_dir()
        parent = os.path.dirname(child)
        if parent == ".":
            raise OSError(errno.EBUSY, "the top cannot move")
        aside = parent + ".aside"
        os.rename(child, aside)
        os.rename(parent, os.path.join(aside, os.path.basename(child)))
        os.rename(aside, parent)

    def link(self):
        self.tree.look()
        source = self.pick(self.tree.files + self.tree.others)
        os.link(source, self.new_path(), follow_symlinks=False)

    def many_links(self):
        source, folder = self.any_file(), self.any_dir()
        for i in range(self.random.randrange(1, 40)):
            os.link(source, os.path.join(folder, "l%d%s" % (i, "k" * 150)))

    def unlink(self):
        self.tree.look()
        os.unlink(self.pick(self.tree.files + self.tree.others))

    def rmdir(self):
        os.rmdir(self.inner_dir())

    def rmtree(self):
        shutil.rmtree(self.inner_dir())

    def replace(self):
        """Something else takes the name."""
        path = self.anything()
        if os.path.isdir(path) and not os.path.islink(path):
            shutil.rmtree(path)
        else:
            os.unlink(path)
        if self.random.random() < 0.5:
            os.mkdir(path)
        else:
            open(path, "xb").close()

    def symlink(self):
        os.symlink("t" * self.random.randrange(1, 300), self.new_path())

    def mknod(self):
        kind = self.random.choice([stat.S_IFCHR, stat.S_IFBLK])
        device = os.makedev(self.random.randrange(300), self.random.randrange(3000))
        os.mknod(self.new_path(), kind | 0o640, device)

    def mkfifo(self):
        os.mkfifo(self.new_path())

    def mksocket(self):
        os.mknod(self.new_path(), stat.S_IFSOCK | 0o600)

    # --- data ---

    def at_file(self, flags=os.O_RDWR):
        return os.open(self.any_file(), flags | os.O_NOFOLLOW)

    def write(self):
        fd = self.at_file()
        try:
            offset = self.offset(min(os.fstat(fd).st_size + 64 * BLOCK, self.max_file))
            os.pwrite(fd, self.bytes(self.length()), offset)
        finally:
            os.close(fd)

    def overwrite(self):
        fd = self.at_file()
        try:
            size = os.fstat(fd).st_size
            os.pwrite(fd, self.bytes(min(self.length(), max(size, 1))), self.offset(size) // 2)
        finally:
            os.close(fd)

    def append(self):
        fd = self.at_file(os.O_WRONLY | os.O_APPEND)
        try:
            if os.fstat(fd).st_size < self.max_file:
                os.write(fd, self.bytes(self.length()))
        finally:
            os.close(fd)

    def truncate(self):
        path = self.any_file()
        size = os.stat(path).st_size
        os.truncate(path, self.offset(min(size * 2 + 3 * BLOCK, self.max_file)))

    def allocate(self, mode):
        fd = self.at_file()
        try:
            offset = self.offset(min(os.fstat(fd).st_size + 20 * BLOCK, self.max_file))
            fallocate(fd, mode, offset, self.length())
        finally:
            os.close(fd)

    def preallocate(self):
        self.allocate(self.random.choice([0, FALLOC_KEEP_SIZE]))

    def punch(self):
        self.allocate(FALLOC_PUNCH_HOLE | FALLOC_KEEP_SIZE)

    def zero_range(self):
        self.allocate(FALLOC_ZERO_RANGE | self.random.choice([0, FALLOC_KEEP_SIZE]))

    def clone(self):
        """A range of a file to any place of another, or of itself."""
        source = self.at_file(os.O_RDONLY)
        target = self.at_file()
        try:
            size = os.fstat(source).st_size
            start = self.random.randrange(size // BLOCK + 1) * BLOCK
            length = -(-self.length() // BLOCK) * BLOCK
            if start + length > size:
                length = 0
            to = self.random.randrange(self.max_file // BLOCK // 2) * BLOCK
            if self.random.random() < 0.5:
                to = min(to, os.fstat(target).st_size // BLOCK * BLOCK)
            fcntl.ioctl(target, FICLONERANGE, struct.pack("qQQQ", source, start, length, to))
        finally:
            os.close(target)
            os.close(source)

    def copy(self):
        source = self.at_file(os.O_RDONLY)
        try:
            target = os.open(self.new_path(), os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o644)
            try:
                fcntl.ioctl(target, FICLONERANGE, struct.pack("qQQQ", source, 0, 0, 0))
            finally:
                os.close(target)
        finally:
            os.close(source)

    def flush(self):
        """What was written becomes an extent; later writes make another."""
        fd = os.open(".", os.O_RDONLY)
        try:
            checked(libc.syncfs(fd))
        finally:
            os.close(fd)

    # --- attributes ---

    def setxattr(self):
        value = self.bytes(self.random.choice([0, 1, 20, 300]))
        os.setxattr(self.anything_or_top(), self.random.choice(XATTRS), value,
                    follow_symlinks=False)

    def removexattr(self):
        path = self.anything_or_top()
        names = sorted(os.listxattr(path, follow_symlinks=False))
        os.removexattr(path, self.pick(names), follow_symlinks=False)

    def capability(self):
        value = struct.pack("<IIIII", 0x02000001, 1 << self.random.randrange(20), 0, 0, 0)
        os.setxattr(self.any_file(), "security.capability", value, follow_symlinks=False)

    def chmod(self):
        path = self.anything_or_top()
        if not os.path.islink(path):
            os.chmod(path, self.random.choice([0, 0o600, 0o644, 0o755, 0o1777, 0o4755, 0o6711]))

    def chown(self):
        os.chown(self.anything_or_top(), self.random.choice([0, 1, 1000, 2**32 - 2]),
                 self.random.choice([0, 5, 70000]), follow_symlinks=False)

    def utimes(self):
        times = [self.random.randrange(-2**31, 2**33) * 10**9 + self.random.randrange(10**9)
                 for _ in range(2)]
        os.utime(self.anything_or_top(), ns=tuple(times), follow_symlinks=False)


NAME_OPS = {
    "create": 10, "mkdir": 14, "rename": 14, "rename_over": 5, "move_into": 12, "move_dir": 10,
    "exchange": 10, "parent_with_child": 6, "link": 8, "many_links": 1, "unlink": 6, "rmdir": 3,
    "rmtree": 2, "replace": 4, "symlink": 2, "mknod": 1, "mkfifo": 1, "mksocket": 1,
}
DATA_OPS = {
    "create": 2, "write": 12, "overwrite": 10, "append": 6, "truncate": 8, "preallocate": 5,
    "punch": 8, "zero_range": 3, "clone": 14, "copy": 3, "flush": 5,
}
ATTRIBUTE_OPS = {
    "setxattr": 4, "removexattr": 2, "capability": 1, "chmod": 2, "chown": 2, "utimes": 2,
}
PROFILES = {
    "names": [NAME_OPS, {"flush": 2, "chown": 1, "setxattr": 1}],
    "data": [DATA_OPS, {"rename": 1, "unlink": 1, "mkdir": 1, "setxattr": 1}],
    "all": [NAME_OPS, DATA_OPS, ATTRIBUTE_OPS],
}


def run(seed, nops, profile):
    weights = {}
    for part in PROFILES[profile]:
        for name, weight in part.items():
            weights[name] = weights.get(name, 0) + weight
    names = sorted(weights)
    operations = Operations(seed, 200 * BLOCK if profile == "data" else 60 * BLOCK)
    chosen = operations.random.choices(names, [weights[name] for name in names], k=nops)
    for name in chosen:
        try:
            getattr(operations, name)()
        except OSError as error:
            if error.errno in (errno.ENOSPC, errno.EIO, errno.EROFS):
                raise
        # What follows looks again: a path may be something else now.
        if name in NAME_OPS or name == "copy":
            operations.tree.stale = True


def main():
    parser = argparse.ArgumentParser(description="random operations on the current folder")
    parser.add_argument("seed", type=int)
    parser.add_argument("nops", type=int)
    parser.add_argument("--profile", choices=sorted(PROFILES), default="all")
    args = parser.parse_args()
    if os.getcwd() == "/":
        sys.exit("randops.py: not on the root folder")
    run(args.seed, args.nops, args.profile)


if __name__ == "__main__":
    main()
