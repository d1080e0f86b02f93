"""A vendor that breaks as it is told: ``faulty_vendor.py MODE STATE VERB …``, run by the tests.

An image is a text file with two whole numbers; a template is its text; a score is minus the
distance of two of them. Run with ``-I -S``: it needs the standard library only.
"""

import hashlib
import os
import random
import signal
import sys
import time

MODE, STATE, VERB = sys.argv[1:4]
POISON = "666"


def lines(path):
    """The cells of a request."""
    with open(path, encoding="utf-8") as file:
        return [line.rstrip("\n").split("\t") for line in file]


def note(words):
    """One line in the log of calls, written whole."""
    handle = os.open(os.path.join(STATE, "calls"), os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
    os.write(handle, (words + "\n").encode())
    os.close(handle)


def crash_one_in_ten(rows):
    """Crashes at random, and otherwise when the same question is asked again."""
    names = "".join(os.path.basename(cell) for row in rows for cell in row)
    key = hashlib.sha256(names.encode()).hexdigest()
    attempts = os.path.join(STATE, key)
    with open(attempts, "a") as file:
        file.write("x")
    if random.Random(key + str(os.path.getsize(attempts))).random() < 0.1:
        note("crashed")
        os.kill(os.getpid(), signal.SIGSEGV)


def read(path):
    """The text of an image or a template."""
    with open(path, encoding="utf-8") as file:
        return file.read()


def info(out):
    """Name, version, one stated threshold."""
    with open(out, "w") as file:
        file.write('{"name": "faulty", "version": "1", "thresholds": [{"fmr": 0.1, "score": -5}]}')


def create(images, folder):
    """Templates and status.tsv."""
    rows = lines(images)
    note(f"create {len(rows)}")
    if MODE == "slow":
        time.sleep(0.05)
    if MODE == "crash_one_in_ten":
        crash_one_in_ten(rows)
    answers = []
    for name, path in rows:
        text = read(path)
        if MODE == "hang" or (MODE == "hang_on_poison" and POISON in text):
            time.sleep(1000)
        if MODE == "crash_on_poison" and POISON in text:
            print("cannot digest this", file=sys.stderr, flush=True)
            os._exit(7)
        if text == "no face":
            answers.append(f"{name}\t1\tno face found\n")
            continue
        with open(os.path.join(folder, f"{name}.template"), "w") as file:
            file.write(text)
        answers.append(f"{name}\t0\n")
    if MODE == "short_status":
        answers = answers[:-1]
    with open(os.path.join(folder, "status.tsv"), "w") as file:
        file.writelines(answers)


def match(pairs, out):
    """Scores, or what the mode makes of them."""
    rows = lines(pairs)
    note(f"match {len(rows)}")
    if MODE == "slow":
        time.sleep(0.05)
    if MODE == "flood":
        for _ in range(400):
            os.write(2, b"x" * 65536)
    if MODE == "crash_one_in_ten":
        crash_one_in_ten(rows)
    answers = []
    for name, probe, reference in rows:
        (a, b), (c, d) = ([int(cell) for cell in read(path).split()] for path in (probe, reference))
        if MODE == "crash_on_pair" and {a, c} == {3, 5}:
            os._exit(7)
        score = -float(abs(a - c) + abs(b - d))
        if MODE == "asymmetric":
            score += 0.25 * (a > c)
        if MODE == "unstable":
            score += random.random()
        answers.append(f"{name}\t0\t{score!r}\n")
    if MODE == "nan":
        answers[0] = answers[0].split("\t")[0] + "\t0\tnan\n"
    if MODE == "short":
        answers = answers[:-1]
    if MODE == "order":
        answers.reverse()
    if MODE == "words":
        answers[0] = answers[0].split("\t")[0] + "\t0\tgood\n"
    with open(out, "wb") as file:
        file.write(os.urandom(200) if MODE == "garbage" else "".join(answers).encode())


{"info": info, "create": create, "match": match}[VERB](*sys.argv[4:])
