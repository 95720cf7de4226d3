"""A file system of its own that is small, and ballast to fill it."""

import os
import pathlib
import subprocess
import tempfile

MIB = 1024 * 1024
DISK = 96 * MIB


class SmallDisk:
    """A file system of its own of DISK bytes, in memory; needs the right to mount."""

    def __init__(self):
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="passerelle-disk-"))
        self.path = self.folder / "d"
        self.path.mkdir()
        command = ["mount", "-t", "tmpfs", "-o", f"size={DISK}", "tmpfs", self.path]
        mounted = subprocess.run(command, capture_output=True, text=True, check=False)
        if mounted.returncode:
            self.path.rmdir()
            self.folder.rmdir()
            raise PermissionError(f"cannot mount a small disk: {mounted.stderr.strip()}")

    def free(self) -> int:
        info = os.statvfs(self.path)
        return info.f_bavail * info.f_frsize

    def fill(self, size: int) -> None:
        """Makes the ballast this large, or as large as there is room."""
        with open(self.path / "ballast", "ab") as ballast:
            held = ballast.tell()
            try:
                os.posix_fallocate(ballast.fileno(), held, max(size - held, 1))
            except OSError:
                while True:
                    try:
                        held += os.write(ballast.fileno(), b"x" * 4096)
                    except OSError:
                        return

    def leave(self, free: int) -> None:
        """Grows the ballast until so much is free."""
        ballast = self.path / "ballast"
        held = ballast.stat().st_size if ballast.exists() else 0
        self.fill(held + self.free() - free)

    def relieve(self) -> None:
        (self.path / "ballast").unlink()

    def remove(self) -> None:
        subprocess.run(["umount", self.path], check=False)
        for path in sorted(self.folder.rglob("*"), reverse=True):
            path.rmdir() if path.is_dir() else path.unlink()
        self.folder.rmdir()
