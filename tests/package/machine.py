"""A Debian in a folder: programs run in it as in a container, or it is booted with systemd."""

import os
import pathlib
import platform
import shutil
import subprocess
import time

from waiting import wait_for

CHECKOUT = pathlib.Path(__file__).resolve().parents[2]
BUILD = CHECKOUT / "build/release"
DEADLINE_S = 300
PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"

# What a container has; "$1" is the root. The mounts are seen, and end, with the namespace only.
MOUNT = """
set -e
mount --bind "$1" "$1"
mount -t proc proc "$1/proc"
mount -t sysfs -o ro sysfs "$1/sys"
mount -t tmpfs tmpfs "$1/run"
mount -t tmpfs tmpfs "$1/dev"
for device in null zero full random urandom tty; do
  touch "$1/dev/$device"
  mount --bind "/dev/$device" "$1/dev/$device"
done
mkdir "$1/dev/pts" "$1/dev/shm"
mount -t devpts -o newinstance,ptmxmode=0666 devpts "$1/dev/pts"
ln -s pts/ptmx "$1/dev/ptmx"
ln -s /proc/self/fd "$1/dev/fd"
mount -t tmpfs -o mode=1777 tmpfs "$1/dev/shm"
"""
BOOT = """
mount -t cgroup2 cgroup2 "$1/sys/fs/cgroup"
cd "$1"
mkdir run/old
pivot_root . run/old
umount -l run/old
exec env -i container=test PATH=/usr/sbin:/usr/bin:/sbin:/bin /lib/systemd/systemd
"""
NAMESPACES = ["unshare", "--mount", "--pid", "--fork", "--kill-child=KILL", "--uts", "--ipc"]


def output(*command):
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout


HOST = platform.freedesktop_os_release().get("VERSION_CODENAME")


def mirror(codename):
    """The machine's own Debian archives, for this release, and its proxy, as apt has them."""
    sources = output(
        "apt-get",
        "indextargets",
        "--format",
        "deb $(REPO_URI) $(CODENAME) $(COMPONENT)",
        "Created-By: Packages",
        "Origin: Debian",
        "Architecture: " + output("dpkg", "--print-architecture").strip(),
    )
    proxies = [line for line in output("apt-config", "dump").splitlines() if "::Proxy" in line]
    return sorted(set(sources.replace(f" {HOST}", f" {codename}").splitlines())), proxies


def debootstrap(codename, target):
    """Makes a minimal Debian as an archive, or in a folder; needs root."""
    sources, proxies = mirror(codename)
    assert sources, "apt knows no archive of Debian's: run apt-get update"
    options = [f"--aptopt={line}" for line in proxies]
    made = subprocess.run(
        ["mmdebstrap", "--mode=root", "--variant=minbase", *options, codename, target, "-"],
        input="\n".join(sources) + "\n",
        capture_output=True,
        text=True,
        timeout=DEADLINE_S,
    )
    assert made.returncode == 0, made.stderr


class Root:
    """A Debian in a folder."""

    def __init__(self, path):
        self.path = pathlib.Path(path)
        shutil.copy("/etc/resolv.conf", self.path / "etc/resolv.conf")
        shutil.copy("/etc/hosts", self.path / "etc/hosts")

    def file(self, path):
        return self.path / str(path).lstrip("/")

    def command(self, *command, environment=None, directory="/", user=None, binds=()):
        """A command line that runs `command` as process 1 of namespaces of its own."""
        mounts = "".join(
            f'\nmkdir -p "$1{inside}"\nmount --bind "{outside}" "$1{inside}"'
            for outside, inside in binds
        )
        variables = {"PATH": PATH, "HOME": "/root"} | (environment or {})
        return [
            *NAMESPACES,
            "bash",
            "-c",
            MOUNT + mounts + '\nshift; exec "$@"',
            "root",
            str(self.path),
            "chroot",
            *([f"--userspec={user}"] if user else []),
            str(self.path),
            "env",
            "-i",
            f"--chdir={directory}",
            *(f"{name}={value}" for name, value in variables.items()),
            *command,
        ]

    def run(self, *command, check=True, timeout=DEADLINE_S, **options):
        done = subprocess.run(
            self.command(*command, **options),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
            timeout=timeout,
        )
        assert not check or done.returncode == 0, f"{command}: {done.stdout[-4000:]}"
        return done

    def install(self, *packages):
        quiet = {"DEBIAN_FRONTEND": "noninteractive"}
        self.run("apt-get", "-qq", "update", environment=quiet)
        self.run(
            "apt-get", "-qq", "-y", "--no-install-recommends", "install", *packages,
            environment=quiet,
        )


class Machine:
    """A root that is booted: systemd is its process 1, the network is the host's."""

    def __init__(self, root):
        self.root = root
        hierarchy = output("findmnt", "--noheadings", "--output=TARGET", "--types=cgroup2")
        self.group = pathlib.Path(hierarchy.split()[0]) / f"inventory-test-{os.getpid()}"

    def __enter__(self):
        self.group.mkdir()
        self.log = open(self.root.path.parent / "boot.log", "w")
        join = f'echo $$ >"{self.group}/cgroup.procs"; exec "$@"'
        self.process = subprocess.Popen(
            ["bash", "-c", join, "join", *NAMESPACES, "--cgroup", "bash", "-c", MOUNT + BOOT]
            + ["boot", str(self.root.path)],
            stdin=subprocess.DEVNULL,
            stdout=self.log,
            stderr=self.log,
        )
        try:
            end = time.monotonic() + DEADLINE_S
            while self.state() not in ("running", "degraded"):
                assert self.process.poll() is None, "systemd has ended"
                assert time.monotonic() < end, f"not booted: {self.state()}"
                time.sleep(0.2)
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_):
        self.process.kill()  # and with it all that runs in its namespaces
        self.process.wait()
        self.log.close()
        folders = sorted(self.group.glob("**/"), key=lambda path: -len(path.parts))
        events = self.group / "cgroup.events"
        wait_for(
            lambda: events.read_text().startswith("populated 0"),
            "no process of the machine runs",
            DEADLINE_S,
        )
        for folder in folders:
            folder.rmdir()

    def state(self):
        return self.run("systemctl", "is-system-running", check=False).stdout.strip()

    def run(self, *command, check=True, timeout=DEADLINE_S):
        children = pathlib.Path(f"/proc/{self.process.pid}/task/{self.process.pid}/children")
        first = children.read_text().split()
        if not first:
            return subprocess.CompletedProcess(command, 1, stdout="starting", stderr="")
        done = subprocess.run(
            ["nsenter", "--target", first[0], "--mount", "--pid", "--uts", "--ipc", "--cgroup"]
            + ["env", "-i", f"PATH={PATH}", "HOME=/root", "DEBIAN_FRONTEND=noninteractive"]
            + [*command],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
            timeout=timeout,
        )
        assert not check or done.returncode == 0, f"{command}: {done.stdout[-4000:]}"
        return done

    def show(self, unit, what):
        return self.run("systemctl", "show", "--value", f"--property={what}", unit).stdout.strip()

    def wait_for(self, unit, what, wanted):
        """Waits until a property of the unit is `wanted`(value), and returns it."""
        end = time.monotonic() + DEADLINE_S
        while not wanted(value := self.show(unit, what)):
            assert time.monotonic() < end, f"{what} of {unit} stays {value}"
            time.sleep(0.2)
        return value
