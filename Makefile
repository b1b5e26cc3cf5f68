# make              the binary, build/btrfs
# make check        all tests (TESTS="tests/cli/x.t tests/unit/y.c" for some)
# make demo         a tour on an image of its own
# make docs         manual pages, build/man/
# make install      DESTDIR= PREFIX=
# make bench        measure against the kernel and Debian's btrfs-progs
#
# check and demo install the Debian packages that are missing, then build.
# Sources are found by wildcard: a new file needs no change here.  A build with
# other settings beside the usual one:
#
#	make BUILD=build/asan SANITIZE=address,undefined
#	make BUILD=build/clang CC=clang

MAKEFLAGS += --no-builtin-rules --no-print-directory
.SUFFIXES:
.DELETE_ON_ERROR:
SHELL := /bin/bash

.PHONY: all check demo docs bench stress install clean distclean format-check FORCE
all:

BUILD ?= build

# Goals that must work on a bare system: packages come before configure, and
# configure comes before the rest of this file can be read.
SETUP_GOALS := check demo
# Goals that must work without configure.
BARE_GOALS := clean distclean format-check

ifneq ($(and $(filter $(SETUP_GOALS),$(MAKECMDGOALS)),$(if $(SETUP_DONE),,y)),)

.PHONY: $(MAKECMDGOALS) with-setup
$(MAKECMDGOALS): with-setup
	@:
with-setup:
	@tests/setup/debian.sh
	@$(MAKE) SETUP_DONE=y $(MAKECMDGOALS)

else

ifneq ($(filter-out $(BARE_GOALS),$(or $(MAKECMDGOALS),all)),)
include Makefile.inc
endif

configure: configure.ac
	autoconf

# An existing configuration keeps its options (--enable-asan, CC=...).
Makefile.inc: Makefile.inc.in configure
	@if [ -x config.status ]; then \
		./config.status --recheck && ./config.status; \
	else \
		./configure; \
	fi

# ---- compiling

# GNU extensions are part of the dialect; clang's -Wall names some of them.
WARNINGS = -Wall -Wextra -Werror $(if $(findstring clang,$(CC)),-Wno-gnu)
# On-disk structs are looked at through pointers into blocks, as in the kernel.
BASE_CFLAGS = -std=gnu11 -pthread -fno-strict-aliasing $(WARNINGS)
BASE_CPPFLAGS := -I. -D_GNU_SOURCE -D_FILE_OFFSET_BITS=64
DEPENDENCIES = -MMD -MP -MF $@.d -MT $@
SAN_FLAGS = $(if $(SANITIZE),-fsanitize=$(SANITIZE) -fno-omit-frame-pointer -fno-sanitize-recover=all)

COMPILE = $(CC) $(BASE_CPPFLAGS) $(DEP_CFLAGS) $(CPPFLAGS) $(BASE_CFLAGS) $(CFLAGS) $(SAN_FLAGS)
LINK = $(CC) -pthread $(CFLAGS) $(SAN_FLAGS) $(LDFLAGS)

ifndef V
QUIET = @printf '  %-7s %s\n' $(1) $(patsubst $(BUILD)/%,%,$@);
endif

SOURCE_DIRS := cmds kernel-shared common mkfs check convert
SOURCES := $(sort $(wildcard $(addsuffix /*.c,$(SOURCE_DIRS)) $(addsuffix /*/*.c,$(SOURCE_DIRS))))
MAIN_OBJECT := $(BUILD)/cmds/main.o
LIB_OBJECTS := $(filter-out $(MAIN_OBJECT),$(SOURCES:%.c=$(BUILD)/%.o))
LIB := $(BUILD)/libbtrfs-offline.a
BINARY := $(BUILD)/btrfs

all: $(BINARY)

# Objects follow the settings: other flags, other objects.
SETTINGS := $(BUILD)/settings
$(SETTINGS): FORCE
	@mkdir -p $(BUILD)
	@printf '%s\n' '$(COMPILE)' '$(PACKAGE_VERSION)' >$@.new; \
	cmp -s $@.new $@ && rm $@.new || mv $@.new $@

$(BUILD)/%.o: %.c $(SETTINGS)
	@mkdir -p $(@D)
	$(call QUIET,CC)$(COMPILE) $(DEFINES) $(DEPENDENCIES) -c -o $@ $<

$(BUILD)/cmds/version.o: private DEFINES = -DPACKAGE_VERSION='"$(PACKAGE_VERSION)"'

# The archive is made anew when a file has gone, too.
OBJECT_LIST := $(BUILD)/objects
$(OBJECT_LIST): FORCE
	@mkdir -p $(BUILD)
	@printf '%s\n' $(LIB_OBJECTS) >$@.new; \
	cmp -s $@.new $@ && rm $@.new || mv $@.new $@

$(LIB): $(LIB_OBJECTS) $(OBJECT_LIST)
	@rm -f $@
	$(call QUIET,AR)$(AR) rcsD $@ $(LIB_OBJECTS)

$(BINARY): $(MAIN_OBJECT) $(LIB)
	$(call QUIET,LD)$(LINK) -o $@ $^ $(DEP_LIBS)

# ---- tests

UNIT_SOURCES := $(sort $(wildcard tests/unit/*.c))
UNIT_TESTS := $(UNIT_SOURCES:%.c=$(BUILD)/%)
# Tools of the shell tests: libc only, so that they judge without our code.
TEST_TOOL_SOURCES := $(sort $(wildcard tests/lib/*.c))
TEST_TOOLS := $(TEST_TOOL_SOURCES:%.c=$(BUILD)/%)
# Programs around our library, for what no command does yet.
TEST_HELPER_SOURCES := $(sort $(wildcard tests/helpers/*.c))
TEST_HELPERS := $(TEST_HELPER_SOURCES:%.c=$(BUILD)/%)
SHELL_TESTS := $(sort $(wildcard $(addprefix tests/,cli/*.t kernel/*.t crash/*.t fuzz/*.t)))

# TESTS names files; the source of a unit test stands for its binary.
TESTS ?= $(UNIT_SOURCES) $(SHELL_TESTS)
TESTS_TO_RUN = $(patsubst tests/unit/%.c,$(BUILD)/tests/unit/%,$(TESTS))

# cmocka hands every test a state that most have no use for.
$(UNIT_TESTS): $(BUILD)/tests/unit/%: tests/unit/%.c $(LIB) $(SETTINGS)
	@mkdir -p $(@D)
	$(if $(CMOCKA_LIBS),,$(error cmocka is missing: apt-get install libcmocka-dev, then ./configure))
	$(call QUIET,CC)$(COMPILE) -Wno-unused-parameter $(DEPENDENCIES) $(CMOCKA_CFLAGS) $(LDFLAGS) -o $@ $< \
		$(LIB) $(CMOCKA_LIBS) $(DEP_LIBS)

$(TEST_TOOLS): $(BUILD)/tests/lib/%: tests/lib/%.c $(SETTINGS)
	@mkdir -p $(@D)
	$(call QUIET,CC)$(CC) $(BASE_CPPFLAGS) $(BASE_CFLAGS) $(CFLAGS) $(DEPENDENCIES) $(LDFLAGS) -o $@ $<

$(TEST_HELPERS): $(BUILD)/tests/helpers/%: tests/helpers/%.c $(LIB) $(SETTINGS)
	@mkdir -p $(@D)
	$(call QUIET,CC)$(COMPILE) $(DEPENDENCIES) $(LDFLAGS) -o $@ $< $(LIB) $(DEP_LIBS)

.PHONY: test-binaries
test-binaries: $(BINARY) $(UNIT_TESTS) $(TEST_TOOLS) $(TEST_HELPERS)

# Tests wait for loop devices and syncs about as long as they compute.
TEST_JOBS ?= $(shell echo $$((3 * $$(nproc))))

# One prove for all, so that its summary ends the output.
check: test-binaries
	@BTRFS='$(abspath $(BINARY))' BTRFS_BUILD='$(abspath $(BUILD))' CMOCKA_MESSAGE_OUTPUT=TAP \
		prove -j$(TEST_JOBS) --timer -e tests/setup/run-test $(TESTS_TO_RUN)

demo: $(BINARY) $(TEST_TOOLS)
	@BTRFS='$(abspath $(BINARY))' BTRFS_BUILD='$(abspath $(BUILD))' bash tests/demo/demo.sh

# Until interrupted, or COUNT=N rounds: random operations, sent by the kernel and by us.
stress: test-binaries
	@BTRFS='$(abspath $(BINARY))' BTRFS_BUILD='$(abspath $(BUILD))' bash tests/stress/send-random.sh

bench: $(BINARY) $(TEST_TOOLS)
	@BTRFS='$(abspath $(BINARY))' BTRFS_BUILD='$(abspath $(BUILD))' bash bench/run.sh

# ---- manual pages

# Pages are named as man has them, with the section (btrfs-send.8.rst) or, for
# section 8, without.  The other documents have names in capitals.
MAN_SOURCES := $(sort $(wildcard Documentation/[bfm]*.rst))
with_section = $(if $(filter .1 .5 .7 .8,$(suffix $(1))),$(1),$(1).8)
man_file = $(BUILD)/man/$(call with_section,$(basename $(notdir $(1))))
MAN_FILES := $(foreach src,$(MAN_SOURCES),$(call man_file,$(src)))

define man_rule
$(1): $(2) Makefile
	@mkdir -p $$(@D)
	$$(if $$(RST2MAN),,$$(error rst2man is missing: apt-get install python3-docutils, then ./configure))
	$$(call QUIET,MAN)$$(RST2MAN) --halt=warning $$< $$@
endef
$(foreach src,$(MAN_SOURCES),$(eval $(call man_rule,$(call man_file,$(src)),$(src))))

docs: $(MAN_FILES)

# ---- installing

# Names under which the binary is another tool; only those it answers to.
TOOL_LINKS := mkfs.btrfs

bindir = $(PREFIX)/bin
mandir = $(PREFIX)/share/man

install: $(BINARY) $(if $(RST2MAN),docs)
	install -d '$(DESTDIR)$(bindir)'
	install -m 755 $(BINARY) '$(DESTDIR)$(bindir)/btrfs'
	$(foreach link,$(TOOL_LINKS),ln -sf btrfs '$(DESTDIR)$(bindir)/$(link)' &&) true
	$(foreach page,$(if $(RST2MAN),$(MAN_FILES)),install -D -m 644 $(page) \
		'$(DESTDIR)$(mandir)/man$(patsubst .%,%,$(suffix $(page)))/$(notdir $(page))' &&) true

# ---- housekeeping

format-check:
	clang-format --dry-run -Werror $(wildcard $(addsuffix /*.[ch],$(SOURCE_DIRS) tests/unit tests/lib))

clean:
	rm -rf $(BUILD)

distclean: clean
	rm -rf configure configure~ config.log config.status Makefile.inc autom4te.cache

-include $(addsuffix .d,$(MAIN_OBJECT) $(LIB_OBJECTS) $(UNIT_TESTS) $(TEST_TOOLS))

endif
