# SPDX-License-Identifier: MIT
# The front door. Everything behind it is Meson and Ninja.
SCENARIO ?= scenarios/boot-accept.yaml
RUN_FLAGS ?=

.PHONY: all deps run install deb test bench fuzz nightly format clean help
all: deps
	@test -e build/build.ninja || meson setup build
	@ninja -C build

deps:
	@tools/install_deps

# The main job.
run: all
	./build/seamlab run $(RUN_FLAGS) $(SCENARIO)

# Where: meson configure build --prefix=...; a staged tree: make install DESTDIR=...
install: all
	@meson install -C build --no-rebuild $(if $(DESTDIR),--destdir $(abspath $(DESTDIR)))

# Debian packages of what was built, in build/deb.
deb: all
	@tools/make_deb build

# All tests: plain, ASan+UBSan, TSan.
test:
	@tools/install_deps test
	@tools/run_tests

# Figures of bench/, printed and not judged.
bench: all
	@ninja -C build bench

# Longer fuzzing with libFuzzer, FUZZ_SECONDS for each target.
fuzz: deps
	@tools/run_fuzz $${FUZZ_SECONDS:-60}

# Worlds that take minutes on two cores.
nightly: all
	@./build/seamlab check --jobs 0 --format json scenarios/nightly/*.yaml >build/nightly.json; status=$$?; \
		tools/nightly_docs build/nightly.json - && exit $$status

format: deps
	@tools/check_format --fix

clean:
	rm -rf build build-asan build-tsan build-fuzz

help:
	@echo "make            build; leaves the program at build/seamlab"
	@echo "make run        build and run the main job (SCENARIO=..., RUN_FLAGS=...)"
	@echo "make install    install it (DESTDIR=...; the prefix is meson's)"
	@echo "make deb        Debian packages, in build/deb"
	@echo "make test       all tests"
	@echo "make bench      benchmarks"
	@echo "make fuzz       libFuzzer targets, FUZZ_SECONDS each (default 60)"
	@echo "make nightly    worlds that take minutes to explore"
	@echo "make format     clang-format over the tree"
