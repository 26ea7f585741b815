"""Running PostgreSQL as somebody else when we are root, which it refuses to run as."""

import os
import pwd
import shutil
import subprocess
from pathlib import Path

from .environment import for_server
from .errors import StackError

# An unprivileged user cannot enter folders below /root. Either capability lets it, the weaker one is tried first; a
# container often grants only the second, some grant none.
_CAPABILITIES = ("+dac_read_search", "+dac_override", "")


def unprivileged(folder: Path, program: str) -> tuple[str, ...]:
    """Options of ``setpriv`` that run this program as a user who may work in this folder; none where we are not root.

    The folder is made, and given to that user.

    Raises:
        StackError: we are root and no other user can be used, or the folder belongs to somebody else.
    """
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    if os.geteuid() != 0:
        if folder.stat().st_uid != os.geteuid():
            raise StackError(
                f"{folder} belongs to {user_name(folder.stat().st_uid)}; run as root as before, or `sudo make reset`."
            )
        return ()
    if not shutil.which("setpriv"):
        raise StackError(
            "PostgreSQL does not run as root and setpriv is missing; install util-linux, or run as another user."
        )
    user = pwd.getpwnam("nobody")
    _give(folder, user)
    for capability in _CAPABILITIES:
        options = _options(user, capability)
        if _reaches(options, folder, program):
            return options
    raise StackError(
        f"PostgreSQL does not run as root, and user {user.pw_name} cannot reach {folder} or {program}; "
        "move the project to a folder open to all, for example below /srv, or run as another user."
    )


def _options(user: pwd.struct_passwd, capability: str) -> tuple[str, ...]:
    words = [f"--reuid={user.pw_uid}", f"--regid={user.pw_gid}", "--clear-groups"]
    if capability:
        words += [f"--inh-caps=-all,{capability}", f"--ambient-caps=-all,{capability}"]
    return tuple(words)


def _reaches(options: tuple[str, ...], folder: Path, program: str) -> bool:
    enter = ["sh", "-c", 'cd "$1" && test -w . && "$2" --version', "sh", str(folder), program]
    # Started from "/": the caller's own folder may be one that the other user cannot stay in.
    done = subprocess.run(["setpriv", *options, *enter], check=False, cwd="/", capture_output=True, env=for_server())
    return done.returncode == 0


def _give(folder: Path, user: pwd.struct_passwd) -> None:
    if folder.stat().st_uid == user.pw_uid:
        return
    for path in (folder, *folder.rglob("*")):
        os.chown(path, user.pw_uid, user.pw_gid, follow_symlinks=False)


def user_name(uid: int) -> str:
    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return f"user {uid}"
