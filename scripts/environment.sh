# Sourced by the other scripts: makes or finds the project's one environment, `.venv`.
# Leaves with a sentence and status 2 when the machine lacks something.

root="$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)"
cd "$root" || exit 2
venv="$root/.venv"

say() { printf '\n== %s\n' "$*"; }
fail() { printf 'frbench: %s\n' "$*" >&2; exit 2; }

find_python() {
    local candidate
    for candidate in "${PYTHON:-}" python3 python3.13 python3.12 python3.11 python; do
        [ -n "$candidate" ] || continue
        if "$candidate" -c 'import sys; sys.exit(not (3, 11) <= sys.version_info[:2] < (3, 14))' \
            >/dev/null 2>&1; then
            printf '%s\n' "$candidate"
            return
        fi
    done
    return 1
}

# What was installed, as one number: the same number means that nothing needs installing.
wanted() { cat pyproject.toml constraints.txt scripts/environment.sh | cksum; }

prepare_environment() {
    local stamp="$venv/.frbench-installed" python uv
    if [ -x "$venv/bin/python" ] && [ "$(cat "$stamp" 2>/dev/null)" = "$(wanted)" ]; then
        say "The environment .venv is ready; nothing to install."
        return
    fi
    if [ ! -x "$venv/bin/python" ]; then
        python="$(find_python)" || fail "Python 3.11, 3.12 or 3.13 is needed; install one, or name \
it with PYTHON=/path/to/python."
        say "Making the environment .venv with $("$python" --version)"
        "$python" -m venv "$venv" || fail "$python cannot make an environment; on Debian and Ubuntu \
install the package python3-venv."
    fi
    rm -f "$stamp"
    uv="$(command -v uv || true)"
    if [ -z "$uv" ]; then
        say "Bringing uv, the installer"
        "$venv/bin/python" -m pip install --quiet --disable-pip-version-check uv ||
            fail "uv could not be installed; is the package index reachable?"
        uv="$venv/bin/uv"
    fi
    say "Installing frbench and what it needs (about 5 GB, mostly PyTorch)"
    "$uv" pip install --quiet --python "$venv/bin/python" --constraint constraints.txt \
        --editable '.[dlib,onnx,http,train,mlflow,dev]' || fail "the installation failed; see the lines above."
    wanted >"$stamp"
}
