"""What a hostile submission does, and what comes of it: each is run for real.

Every attack stands in the cell of ``rms`` (4 points) or in one before it. The honest
``scale`` (3 points) must keep its points where the attack leaves it alone, ``rms`` must
not get any, and the same warm process must grade the next submission right.
"""

import sys
import sysconfig
from collections.abc import Callable, Iterator
from importlib.util import find_spec
from pathlib import Path

import psutil
import pytest

import helpers
import layers_book
from layers_book.coursework.grade.record import Record

HONEST, ALL = 3.0, 7.0
RMS = "def rms(x):\n    return x.square().mean(-1).sqrt()\n"

IN_THE_CELL = {
    "loops": "while True: pass",
    "loops and ignores interrupts": (
        "while True:\n"
        "    try:\n"
        "        while True: pass\n"
        "    except BaseException: pass"
    ),
    "blocks all signals": (
        "import signal\n"
        "signal.pthread_sigmask(signal.SIG_BLOCK, range(1, 65))\n"
        "while True: pass"
    ),
    "exhausts memory": "x = bytearray(4 * 2**30)",
    "exhausts memory slowly": "x = []\nwhile True: x.append(bytearray(2**24))",
    "exhausts memory in children": (
        "import os, time\n"
        "for i in range(6):\n"
        "    if not os.fork():\n"
        "        x = bytearray(120 * 2**20)\n"
        "        time.sleep(60)\n"
        "time.sleep(60)"
    ),
    "forks without end": (
        "import os\nwhile True:\n    try:\n        os.fork()\n    except OSError: pass"
    ),
    "exits": "raise SystemExit(0)",
    "exits at once": "import os\nos._exit(0)",
    "crashes": "import ctypes\nctypes.string_at(0)",
    "kills everything": (
        "import os, signal\n"
        "for pid in (-1, 0, 1, os.getppid()):\n"
        "    try:\n"
        "        os.kill(pid, signal.SIGKILL)\n"
        "    except OSError: pass\n"
        "os._exit(1)"
    ),
    "suspends everything": (
        "import os, signal\n"
        "for pid in (-1, 0, os.getppid(), os.getpid()):\n"
        "    try:\n"
        "        os.kill(pid, signal.SIGSTOP)\n"
        "    except OSError: pass\n"
        "while True: pass"
    ),
    "floods its output": (
        "import os, sys\n"
        "while True:\n"
        "    os.write(1, b'x' * 2**20)\n"
        "    os.write(3, b'\\0\\1\\0\\0' + b'x' * 2**16)"
    ),
    "floods with tiny frames": (
        "import os\nwhile True: os.write(3, b'\\0\\0\\0\\1x' * 10000)"
    ),
    "exhausts the recursion": "def f(): f()\nf()",
    "compiles deep nesting": "x = eval('(' * 100000)",
    "is no Python": "def rms(x: return",
    "null bytes": "def rms(x):\0",
    "raises an evil exception": (
        "class E(Exception):\n    def __str__(self): raise SystemExit\nraise E"
    ),
}

AS_AN_ANSWER = {
    "exits when asked": "def rms(x):\n    import os\n    os._exit(0)",
    "loops when asked": "def rms(x):\n    while True: pass",
    "gigantic": "def rms(x):\n    return torch.zeros(1).expand(10**13)",
    "gigantic list": "def rms(x):\n    return [0] * 10**8",
    "ragged": "def rms(x):\n    return [[1.0], [1.0, 2.0]]",
    "endless nesting": "def rms(x):\n    a = []\n    a.append(a)\n    return a",
    "NaN": "def rms(x):\n    return x.square().mean(-1) * float('nan')",
    "wrong dtype": f"{RMS[:-1]}.half()\n",
    "wrong shape": f"{RMS[:-1]}.unsqueeze(-1)\n",
    "aliased": "def rms(x):\n    return x",
    "equal to anything": (
        "class Any:\n"
        "    def __eq__(self, other): return True\n"
        "    def __getattr__(self, name): return lambda *a, **k: self\n"
        "def rms(x):\n"
        "    return Any()"
    ),
    "a tensor subclass that lies": (
        "class Liar(torch.Tensor):\n"
        "    @classmethod\n"
        "    def __torch_function__(cls, func, types, args=(), kwargs=None):\n"
        "        return True\n"
        "def rms(x):\n"
        "    return torch.zeros(3).as_subclass(Liar)"
    ),
    "properties with effects": (
        "class Evil:\n"
        "    @property\n"
        "    def shape(self): raise SystemExit\n"
        "    __class__ = property(lambda self: torch.Tensor)\n"
        "def rms(x):\n"
        "    return Evil()"
    ),
    "a generator": "def rms(x):\n    yield x",
    "sparse": "def rms(x):\n    return x.square().mean(-1).sqrt().to_sparse()",
    "on meta": "def rms(x):\n    return x.square().mean(-1).sqrt().to('meta')",
    "a replaced comparison": (
        "import torch.testing, builtins\n"
        "torch.testing.assert_close = torch.allclose = lambda *a, **k: True\n"
        "torch.equal = torch.Tensor.equal = lambda *a: True\n"
        "torch.Tensor.__eq__ = lambda *a: True\n"
        "def rms(x):\n"
        "    return x[..., 0]"
    ),
    "a patched torch": (
        "torch.Tensor.mean = torch.Tensor.sqrt = lambda x, *a, **k: x[..., 0]\n"
        "torch.autograd.grad = lambda *a, **k: [x * 0 for x in a[1]]\n"
        "def rms(x):\n"
        "    return x.square().mean(-1).sqrt()"
    ),
    "a patched checker": (
        "import layers_book.checking.recording as t, sys\n"
        "import layers_book.checking.judging.compare as c\n"
        "c.same = c.same_case = t.plain = lambda *a, **k: True\n"
        "for m in list(sys.modules.values()):\n"
        "    for n in ('record', 'encode', 'plain'):\n"
        "        if hasattr(m, n) and 'coursework' in getattr(m, '__name__', ''):\n"
        "            setattr(m, n, lambda *a, **k: b'')\n"
        "def rms(x):\n"
        "    return x"
    ),
    "patched builtins": (
        "import builtins\n"
        "builtins.all = builtins.any = lambda *a: True\n"
        "builtins.isinstance = lambda *a: True\n"
        "def rms(x):\n"
        "    return x"
    ),
    "a patched import system": (
        "import sys\n"
        "class Finder:\n"
        "    def find_spec(self, *a): raise SystemExit\n"
        "sys.meta_path.insert(0, Finder())\n"
        "sys.modules.pop('torch.nn.functional', None)\n"
        "def rms(x):\n"
        "    return x"
    ),
    "patched clock and random generators": (
        "import time, random\n"
        "time.time = time.monotonic = lambda: 0.0\n"
        "random.random = lambda: 0.5\n"
        "torch.randn = torch.rand = lambda *a, **k: torch.zeros(a)\n"
        "torch.manual_seed(1)\n"
        "def rms(x):\n"
        "    return x.sum(-1) * 0"
    ),
    "forged frames": (
        "import os\n"
        "from layers_book.coursework.sandbox.inside.wire import encode\n"
        "from layers_book.checking.recording import Case\n"
        "def frame(*f):\n"
        "    b = encode(list(f)); os.write(3, len(b).to_bytes(4, 'big') + b)\n"
        "right = encode([[('the output', True)]] * 6)\n"
        "frame('question', 'rms', 'asked', right)\n"
        "frame('question', 'rms', 'graded', {'points': 99.0})\n"
        "frame('end', '')\n"
        "def rms(x):\n"
        "    return x"
    ),
    "calls what it should write": (
        "def rms(x):\n"
        "    return torch.linalg.vector_norm(x, dim=-1) / x.shape[-1] ** 0.5"
    ),
    "leaves processes behind": (
        "import os, time\n"
        "for i in range(5):\n"
        "    if not os.fork():\n"
        "        os.setsid()\n"
        "        if os.fork(): os._exit(0)\n"
        "        time.sleep(600)\n"
        "        os._exit(0)\n"
        "def rms(x):\n"
        "    return x"
    ),
}


# another shape or layout of the right numbers: honest work on the gradient
RIGHT_GRADIENT = [AS_AN_ANSWER[name] for name in ("wrong shape", "sparse", "on meta")]


@pytest.fixture(autouse=True)
def _next_one_is_unaffected(
    grade: Callable[[bytes], Record], submit: Callable[..., bytes]
) -> Iterator[None]:
    yield
    record = grade(submit())
    assert record["points"] == ALL
    assert record["notes"] == []


@pytest.mark.parametrize("code", IN_THE_CELL.values(), ids=IN_THE_CELL)
def test_a_hostile_cell_costs_its_own_question(
    code: str, grade: Callable[[bytes], Record], submit: Callable[..., bytes]
) -> None:
    record = grade(submit(rms=code))
    marks = {q["name"]: q for q in record["questions"]}
    assert record["state"] == "graded"
    assert marks["rms"]["points"] == 0.0
    assert marks["rms"]["reason"] or marks["rms"]["error"]
    assert marks["scale"]["points"] == HONEST, marks


@pytest.mark.parametrize("code", AS_AN_ANSWER.values(), ids=AS_AN_ANSWER)
def test_a_hostile_answer_gets_no_points(
    code: str, grade: Callable[[bytes], Record], submit: Callable[..., bytes]
) -> None:
    record = grade(submit(rms=code))
    marks = {q["name"]: q for q in record["questions"]}
    assert record["state"] == "graded"
    output, gradient = marks["rms"]["parts"]
    assert not output["passed"], marks["rms"]
    assert not gradient["passed"] or code in RIGHT_GRADIENT


PACKAGE = Path(layers_book.__file__).parent
MODULES = [
    ".".join(path.relative_to(PACKAGE.parent).with_suffix("").parts)
    for path in sorted(PACKAGE.rglob("*.py"))
    if path.name != "__init__.py"
]
INSIDE = ("layers_book.coursework.sandbox.inside.",)
SECRET = [
    name
    for name in MODULES
    if name.startswith(("layers_book.coursework.", "layers_book.exercises."))
    and not name.startswith(INSIDE)
]
# the system's programs and libraries, Python with its packages, the book's two packages
PYTHON = {sys.prefix, sys.base_prefix, Path(sys.executable).resolve().parents[1]}
PYTHON |= {sysconfig.get_path("purelib"), sysconfig.get_path("platlib")}
SEEN = {PACKAGE, Path(helpers.__file__).parent, *map(Path, PYTHON)}
SEEN |= {path.resolve() for path in SEEN}
SYSTEM = ("/usr", "/bin", "/sbin", "/lib", "/lib32", "/lib64", "/libx32", "/dev")
MAY_BE_SEEN = [*SYSTEM, "/proc", "/etc/ld.so.cache", *sorted(map(str, SEEN))]

LOOKS = {
    "the expected values, in memory": (
        "import gc, sys\n"
        f"found = [k for k in {SECRET!r} if k in sys.modules]\n"
        "found += [o for o in gc.get_objects() if type(o).__name__ in "
        "('Question', 'Grader', 'Mistake', 'Exercise')]"
    ),
    "the answers in the package": (
        "import importlib.util\n"
        "def there(name):\n"
        "    try: return importlib.util.find_spec(name)\n"
        "    except ModuleNotFoundError: return None\n"
        f"found = [name for name in {SECRET!r} if there(name)]"
    ),
    "other submissions, the gradebook, homes": (
        "import os\n"
        f"may = {MAY_BE_SEEN!r}\n"
        "found, waiting = [], ['/']\n"
        "while waiting:\n"
        "    here = waiting.pop()\n"
        "    for path in (os.path.join(here, name) for name in os.listdir(here)):\n"
        "        if path in may: continue\n"
        "        leads = any(other.startswith(f'{path}/') for other in may)\n"
        "        if leads or path in ('/tmp', '/scratch'): waiting.append(path)\n"
        "        else: found.append(path)"
    ),
    "the environment": (
        "import os\n"
        "known = ('HOME', 'TMPDIR', 'LANG', 'PATH', 'PWD', 'MPL', 'OMP', 'PYTHON', "
        "'LAYERS', 'TORCH', 'CUBLAS')\n"
        "found = [k for k in os.environ if not k.startswith(known)]"
    ),
    "other processes": (
        "import os\n"
        "found = os.listdir('/proc')\n"
        "for pid in range(2, 40000):\n"
        "    try: os.kill(pid, 0); found.append(pid)\n"
        "    except OSError: pass"
    ),
    "descriptors left open": (
        "import os\n"
        "def is_open(n):\n"
        "    try: os.fstat(n); return True\n"
        "    except OSError: return False\n"
        "found = [n for n in range(4, 200) if is_open(n)]"
    ),
    "a place to write": (
        "import os, sys, helpers\n"
        "found = []\n"
        "for folder in ['/', '/dev', '/dev/pts', '/etc', '/usr', '/usr/lib', '/proc', "
        "sys.prefix, sys.base_prefix, os.path.dirname(torch.__file__), "
        "os.path.dirname(helpers.__file__)]:\n"
        "    while True:\n"
        "        try: open(f'{folder}/x', 'w').close(); found.append(folder)\n"
        "        except OSError: pass\n"
        "        if folder == '/': break\n"
        "        folder = os.path.dirname(folder)"
    ),
    "the network": (
        "import socket\n"
        "found = []\n"
        "for family in (socket.AF_INET, socket.AF_INET6, socket.AF_NETLINK, 17):\n"
        "    try: found.append(socket.socket(family, socket.SOCK_DGRAM))\n"
        "    except OSError: pass"
    ),
    "system calls that lead out": (
        "import ctypes\n"
        "libc = ctypes.CDLL(None, use_errno=True)\n"
        "found = [n for n, *a in (('unshare', 0x10000000), ('unshare', 0x20000), "
        "('mount', b'x', b'/tmp', b'tmpfs', 0, None), ('umount2', b'/proc', 2), "
        "('ptrace', 0, 0, 0, 0), ('chroot', b'/tmp'), ('setuid', 0), "
        "('memfd_create', b'x', 0), ('shmget', 0, 4096, 0o1600)) "
        "if getattr(libc, n)(*a) >= 0]"
    ),
}


@pytest.mark.parametrize("code", LOOKS.values(), ids=LOOKS)
def test_there_is_nothing_to_find(
    code: str, grade: Callable[[bytes], Record], submit: Callable[..., bytes]
) -> None:
    """Points only for who finds nothing: what is found would show as an error."""
    looked = f"{code}\nif found: raise LookupError\n{RMS}"
    record = grade(submit(rms=looked))
    assert record["questions"][1]["error"] == ""
    assert record["points"] == ALL


def test_what_is_looked_for_is_there_outside() -> None:
    assert len(SECRET) > 50 and all(map(find_spec, SECRET))


def test_a_file_planted_is_gone_for_the_next(
    grade: Callable[[bytes], Record], submit: Callable[..., bytes]
) -> None:
    places = ("/scratch/sitecustomize.py", "/scratch/torch.py", "/dev/shm/x")
    plant = "\n".join(f"open({place!r}, 'w').write('1/0')" for place in places)
    assert grade(submit(rms=f"{plant}\n{RMS}"))["points"] == ALL
    look = f"import os\nif any(map(os.path.exists, {places!r})): raise LookupError"
    assert grade(submit(rms=f"{look}\n{RMS}"))["points"] == ALL


def test_no_process_is_left(
    grade: Callable[[bytes], Record], submit: Callable[..., bytes]
) -> None:
    code = (
        "import subprocess\nsubprocess.Popen(['sleep', '98765'], start_new_session=1)"
    )
    assert grade(submit(rms=f"{code}\n{RMS}"))["points"] == ALL
    running = [p.info["cmdline"] or [] for p in psutil.process_iter(["cmdline"])]
    assert not any("98765" in words for words in running)


def test_what_a_student_code_says_does_not_reach_the_record(
    grade: Callable[[bytes], Record], submit: Callable[..., bytes]
) -> None:
    code = (
        "class Planted(Exception): pass\n"
        "def rms(x):\n"
        "    raise Planted(f'<script>secret {x}</script>')"
    )
    record = grade(submit(rms=code))
    assert record["questions"][1]["error"] == "an exception in line 3 of your cell"
    assert "secret" not in str(record) and "Planted" not in str(record)
