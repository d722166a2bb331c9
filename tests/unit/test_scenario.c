// SPDX-License-Identifier: MIT
/*
 * The scenario reader: good files with every field checked, bad ones with the exact error.
 */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>

#include <cmocka.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "host/policy.h"
#include "scenario/scenario.h"

#define MB2 SL_LEVEL_SIZE(1)

static struct scenario *read_good(const char *text)
{
	struct scenario *s;
	struct sl_err err;
	int ret = scenario_read_text("dir/good.yaml", text, strlen(text), &s, &err);

	if (ret)
		fail_msg("%s", err.text);
	assert_non_null(s);
	return s;
}

static void check_range(const struct scn_td *td, u32 index, const char *name, u8 level,
			enum scn_page_state state, u64 gpa, u64 count)
{
	const struct scn_range *r = &td->ranges[index];

	assert_string_equal(r->name, name);
	assert_int_equal(r->level, level);
	assert_int_equal(r->state, state);
	assert_int_equal(r->gpa, gpa);
	assert_int_equal(r->count, count);
}

struct guest_want {
	enum guest_opcode code;
	u8 level;
	u8 rtmr;
	bool random;
	u64 gpa;
	u64 count;
	u32 times;
	u32 match;
};

static void check_guest(const struct scn_vcpu *v, const struct guest_want *want, u32 count)
{
	assert_int_equal(v->count, count);
	for (u32 i = 0; i < count; i++) {
		assert_int_equal(v->ops[i].code, want[i].code);
		assert_int_equal(v->ops[i].level, want[i].level);
		assert_int_equal(v->ops[i].rtmr, want[i].rtmr);
		assert_int_equal(v->ops[i].random, want[i].random);
		assert_int_equal(v->ops[i].gpa, want[i].gpa);
		assert_int_equal(v->ops[i].count, want[i].count);
		assert_int_equal(v->ops[i].times, want[i].times);
		assert_int_equal(v->ops[i].match, want[i].match);
	}
}

static void check_host(const struct scn_host *h, const struct scn_host_op *want, u32 count)
{
	assert_int_equal(h->count, count);
	for (u32 i = 0; i < count; i++) {
		assert_int_equal(h->ops[i].code, want[i].code);
		assert_int_equal(h->ops[i].td, want[i].td);
		assert_int_equal(h->ops[i].level, want[i].level);
		assert_int_equal(h->ops[i].random, want[i].random);
		assert_int_equal(h->ops[i].gpa, want[i].gpa);
		assert_int_equal(h->ops[i].count, want[i].count);
		assert_int_equal(h->ops[i].vcpu, want[i].vcpu);
		assert_int_equal(h->ops[i].times, want[i].times);
		assert_int_equal(h->ops[i].match, want[i].match);
	}
}

#define CHECK_GUEST(v, ...)                                              \
	do {                                                             \
		static const struct guest_want want[] = { __VA_ARGS__ }; \
		check_guest(v, want, ARRAY_SIZE(want));                  \
	} while (0)

#define CHECK_HOST(h, ...)                                                \
	do {                                                              \
		static const struct scn_host_op want[] = { __VA_ARGS__ }; \
		check_host(h, want, ARRAY_SIZE(want));                    \
	} while (0)

static void test_defaults(void **state)
{
	struct scenario *s = read_good("title: least\ntd: {vcpus: 3}\nrun: {}\n");

	(void)state;
	assert_string_equal(s->path, "dir/good.yaml");
	assert_string_equal(s->title, "least");
	assert_int_equal(s->module.release, SL_RELEASE_1_5_01);
	assert_int_equal(s->module.flavour, SL_PUBLISHED);
	assert_int_equal(s->module.zero_step_threshold, 6);
	assert_int_equal(s->module.packages, 1);
	assert_true(s->module.hp_timeout);
	assert_true(s->module.measurement);
	assert_false(s->module.contents);
	assert_string_equal(s->rules.name, "kvm-6.19");
	assert_int_equal(s->on_busy, GUEST_BUSY_RETRY);
	assert_int_equal(s->busy_retries, 0);
	assert_int_equal(s->td_count, 1);
	assert_int_equal(s->td[0].vcpus, 3);
	assert_false(s->td[0].sept_ve_disable);
	assert_false(s->td[0].explicit_life);
	assert_int_equal(s->td[0].range_count, 0);
	assert_int_equal(s->td[0].pages, 0);
	for (u32 i = 0; i < SCN_VCPUS_MAX; i++)
		assert_int_equal(s->td[0].vcpu[i].count, 0);
	assert_int_equal(s->host_count, 0);
	assert_false(s->all_finish);
	assert_false(s->no_stale_hp);
	assert_int_equal(s->expect, SCN_HOLDS);
	assert_null(s->expect_kind);
	assert_int_equal(s->seconds, 5);
	assert_int_equal(s->memory, SCN_SC);
	assert_false(s->slow);
	scenario_free(s);
}

static void test_empty_mappings(void **state)
{
	struct scenario *s = read_good("title: t\nmodule: {}\ntd: {vcpus: 1, memory: {a: {}}}\n"
				       "host: {}\nguest: {}\nrun: {vcpu0: [], host0: []}\n"
				       "claims: []\n");

	(void)state;
	assert_string_equal(s->rules.name, "kvm-6.19");
	assert_int_equal(s->td[0].range_count, 1);
	check_range(&s->td[0], 0, "a", 0, SCN_FREE, 0, 1);
	assert_int_equal(s->td[0].pages, 1);
	assert_int_equal(s->host_count, 1);
	assert_int_equal(s->host[0].count, 0);
	scenario_free(s);
}

static void test_all_keys(void **state)
{
	struct scenario *s = read_good("title: \"Everything: at \\u00e9 once\"\n"
				       "module:\n"
				       "  release: 1.5.01\n"
				       "  flavour: hardened\n"
				       "  zero-step-threshold: 255\n"
				       "  hp-timeout: false\n"
				       "  packages: 8\n"
				       "  contents: true\n"
				       "  measurement: false\n"
				       "td:\n"
				       "  vcpus: 16\n"
				       "  sept-ve-disable: true\n"
				       "  memory:\n"
				       "    a: {level: 4K, state: pending}\n"
				       "    b_2-x: {size: \"64K\", state: mapped}\n"
				       "    c: {size: 2101248}\n"
				       "    big: {level: 2M, size: 1G, state: pending}\n"
				       "    one: {level: 2M}\n"
				       "host: {policy: \"kvm-6.19\"}\n"
				       "guest: {on-busy: retry-1000000}\n"
				       "run:\n"
				       "  host7: [zap a]\n"
				       "  vcpu15: [halt]\n"
				       "claims: [no-stale-hp, \"all-finish\"]\n"
				       "expect: violated(td-killed)\n"
				       "memory-model: tso\n"
				       "slow: true\n"
				       "seconds: 86400\n");

	(void)state;
	assert_string_equal(s->title, "Everything: at \xc3\xa9 once");
	assert_int_equal(s->module.release, SL_RELEASE_1_5_01);
	assert_int_equal(s->module.flavour, SL_HARDENED);
	assert_int_equal(s->module.zero_step_threshold, 255);
	assert_int_equal(s->module.packages, 8);
	assert_false(s->module.hp_timeout);
	assert_true(s->module.contents);
	assert_false(s->module.measurement);
	assert_int_equal(s->td[0].vcpus, 16);
	assert_true(s->td[0].sept_ve_disable);
	assert_int_equal(s->td[0].range_count, 5);
	check_range(&s->td[0], 0, "a", 0, SCN_PENDING, 0, 1);
	check_range(&s->td[0], 1, "b_2-x", 0, SCN_MAPPED, 0x1000, 16);
	check_range(&s->td[0], 2, "c", 0, SCN_FREE, 0x11000, 513);
	check_range(&s->td[0], 3, "big", 1, SCN_PENDING, 2 * MB2, 512);
	check_range(&s->td[0], 4, "one", 1, SCN_FREE, 514 * MB2, 1);
	assert_int_equal(s->td[0].pages, 515 * 512);
	assert_int_equal(s->on_busy, GUEST_BUSY_RETRY_N);
	assert_int_equal(s->busy_retries, 1000000);
	assert_int_equal(s->host_count, 8);
	for (u32 i = 0; i < 7; i++)
		assert_int_equal(s->host[i].count, 0);
	CHECK_HOST(&s->host[7], { .code = SCN_HOST_ZAP, .count = 1 });
	CHECK_GUEST(&s->td[0].vcpu[15], { .code = GUEST_HALT, .count = 1 });
	assert_true(s->all_finish);
	assert_true(s->no_stale_hp);
	assert_int_equal(s->expect, SCN_VIOLATED);
	assert_string_equal(s->expect_kind, "td-killed");
	assert_int_equal(s->seconds, 86400);
	assert_int_equal(s->memory, SCN_TSO);
	assert_true(s->slow);
	scenario_free(s);
}

static void test_words(void **state)
{
	static const struct {
		const char *text;
		enum guest_on_busy on_busy;
		u32 retries;
		enum scn_expect expect;
		const char *kind;
	} rows[] = {
		{ "guest: {on-busy: retry}\nexpect: holds\n", GUEST_BUSY_RETRY, 0, SCN_HOLDS,
		  NULL },
		{ "guest: {on-busy: fatal}\nexpect: inconclusive\n", GUEST_BUSY_FATAL, 0,
		  SCN_INCONCLUSIVE, NULL },
		{ "guest: {on-busy: retry-1}\nexpect: violated(oracle)\n", GUEST_BUSY_RETRY_N, 1,
		  SCN_VIOLATED, "oracle" },
		{ "guest: {on-busy: spin-with-other-call}\nexpect: violated(host-assert)\n",
		  GUEST_BUSY_SPIN_OTHER, 0, SCN_VIOLATED, "host-assert" },
		{ "expect: violated(module-halt)\n", GUEST_BUSY_RETRY, 0, SCN_VIOLATED,
		  "module-halt" },
		{ "expect: violated(race)\n", GUEST_BUSY_RETRY, 0, SCN_VIOLATED, "race" },
		{ "expect: violated(deadlock)\n", GUEST_BUSY_RETRY, 0, SCN_VIOLATED, "deadlock" },
		{ "expect: violated(livelock)\n", GUEST_BUSY_RETRY, 0, SCN_VIOLATED, "livelock" },
		{ "expect: violated(bound)\n", GUEST_BUSY_RETRY, 0, SCN_VIOLATED, "bound" },
	};
	char text[256];

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct scenario *s;

		snprintf(text, sizeof(text), "title: t\ntd: {vcpus: 1}\nrun: {}\n%s", rows[i].text);
		s = read_good(text);
		assert_int_equal(s->on_busy, rows[i].on_busy);
		assert_int_equal(s->busy_retries, rows[i].retries);
		assert_int_equal(s->expect, rows[i].expect);
		if (rows[i].kind)
			assert_string_equal(s->expect_kind, rows[i].kind);
		else
			assert_null(s->expect_kind);
		scenario_free(s);
	}
}

static void test_guest_program(void **state)
{
	struct scenario *s = read_good(
		"title: t\n"
		"run:\n"
		"  vcpu0:\n"
		"    - accept a\n"
		"    - read  m@7\n"
		"    - write m@3..9\n"
		"    - attr-rd m@1/4\n"
		"    - rtmr-extend m@0..1 3\n"
		"    - rtmr-extend m@5\n"
		"    - report m@1\n"
		"    - accept m@random\n"
		"    - accept m@3/4@random\n"
		"    - read m@0..1@random\n"
		"    - other-call\n"
		"    - map-gpa m@15 shared\n"
		"    - map-gpa m@15 private\n"
		"    - halt\n"
		"  vcpu1: [touch m, touch m@2..5, touch m@2..m@5, touch m@1/4..m@3/4,\n"
		"          touch m@9..m, touch big@1..huge@0, touch big..last, touch m@random]\n"
		"  vcpu2:\n"
		"    - loop 3:\n"
		"        - read a\n"
		"        - {loop forever: [loop 1: [{loop 1000000000: [halt]}], other-call]}\n"
		"    - loop 2: [halt]\n"
		"td:\n"
		"  vcpus: 4\n"
		"  memory:\n"
		"    m: {size: 64K}\n"
		"    a: {}\n"
		"    big: {level: 2M, size: 4M}\n"
		"    huge: {level: 2M, size: 6M}\n"
		"    last: {level: 2M}\n");
	const struct scn_vcpu *v = s->td[0].vcpu;

	(void)state;
	CHECK_GUEST(&v[0], { .code = GUEST_ACCEPT, .gpa = 0x10000, .count = 1 },
		    { .code = GUEST_READ, .gpa = 0x7000, .count = 1 },
		    { .code = GUEST_WRITE, .gpa = 0x3000, .count = 7 },
		    { .code = GUEST_ATTR_RD, .gpa = 0x4000, .count = 4 },
		    { .code = GUEST_RTMR_EXTEND, .count = 2, .rtmr = 3 },
		    { .code = GUEST_RTMR_EXTEND, .gpa = 0x5000, .count = 1 },
		    { .code = GUEST_REPORT, .gpa = 0x1000, .count = 1 },
		    { .code = GUEST_ACCEPT, .random = true, .count = 16 },
		    { .code = GUEST_ACCEPT, .random = true, .gpa = 0xc000, .count = 4 },
		    { .code = GUEST_READ, .random = true, .count = 2 },
		    { .code = GUEST_OTHER_CALL, .count = 1 },
		    { .code = GUEST_MAP_GPA_SHARED, .gpa = 0xf000, .count = 1 },
		    { .code = GUEST_MAP_GPA_PRIVATE, .gpa = 0xf000, .count = 1 },
		    { .code = GUEST_HALT, .count = 1 });
	CHECK_GUEST(&v[1], { .code = GUEST_TOUCH, .count = 16 },
		    { .code = GUEST_TOUCH, .gpa = 0x2000, .count = 4 },
		    { .code = GUEST_TOUCH, .gpa = 0x2000, .count = 4 },
		    { .code = GUEST_TOUCH, .gpa = 0x4000, .count = 12 },
		    { .code = GUEST_TOUCH, .gpa = 0x9000, .count = 7 },
		    { .code = GUEST_TOUCH, .level = 1, .gpa = 2 * MB2, .count = 2 },
		    { .code = GUEST_TOUCH, .level = 1, .gpa = MB2, .count = 6 },
		    { .code = GUEST_TOUCH, .random = true, .count = 16 });
	CHECK_GUEST(&v[2], { .code = GUEST_LOOP, .count = 1, .times = 3, .match = 10 },
		    { .code = GUEST_READ, .gpa = 0x10000, .count = 1 },
		    { .code = GUEST_LOOP, .count = 1, .times = GUEST_FOREVER, .match = 9 },
		    { .code = GUEST_LOOP, .count = 1, .times = 1, .match = 7 },
		    { .code = GUEST_LOOP, .count = 1, .times = 1000000000, .match = 6 },
		    { .code = GUEST_HALT, .count = 1 },
		    { .code = GUEST_END, .count = 1, .match = 4 },
		    { .code = GUEST_END, .count = 1, .match = 3 },
		    { .code = GUEST_OTHER_CALL, .count = 1 },
		    { .code = GUEST_END, .count = 1, .match = 2 },
		    { .code = GUEST_END, .count = 1, .match = 0 },
		    { .code = GUEST_LOOP, .count = 1, .times = 2, .match = 13 },
		    { .code = GUEST_HALT, .count = 1 },
		    { .code = GUEST_END, .count = 1, .match = 11 });
	assert_int_equal(v[3].count, 0);
	/* Linked: an instruction behind others has a later RIP. */
	assert_int_equal(v[0].ops[0].rip, 0);
	assert_true(v[0].ops[1].rip > 0);
	scenario_free(s);
}

/* Twice as many as the explicit table fits: the list of operations grows. */
static void test_long_program(void **state)
{
	char text[2048] = "title: t\ntd: {vcpus: 1}\nrun:\n  vcpu0:\n";
	size_t used = strlen(text);
	struct scenario *s;

	(void)state;
	for (u32 i = 0; i < 100; i++)
		used += (size_t)snprintf(text + used, sizeof(text) - used, "  - %s\n",
					 i % 3 ? "halt" : "other-call");
	s = read_good(text);
	assert_int_equal(s->td[0].vcpu[0].count, 100);
	for (u32 i = 0; i < 100; i++)
		assert_int_equal(s->td[0].vcpu[0].ops[i].code,
				 i % 3 ? GUEST_HALT : GUEST_OTHER_CALL);
	scenario_free(s);
}

static void test_several_tds(void **state)
{
	struct scenario *s =
		read_good("title: t\n"
			  "td:\n"
			  "  - {vcpus: 1, memory: {a: {size: 8K}}}\n"
			  "  - vcpus: 3\n"
			  "    sept-ve-disable: true\n"
			  "    memory: {x: {level: 2M, size: 4M}, a: {state: mapped}}\n"
			  "  - {vcpus: 2}\n"
			  "run:\n"
			  "  vcpu0: [read a]\n"
			  "  td1.vcpu2: [read a]\n"
			  "  td2.vcpu1: [halt]\n"
			  "  host0:\n"
			  "    - map a\n"
			  "    - zap td0:a@1\n"
			  "    - zap td1:a\n"
			  "    - map td1:x@1/2@random\n"
			  "    - zap td1:x@0..1\n"
			  "    - signal 0\n"
			  "    - signal td1.vcpu2\n"
			  "    - interrupt vcpu0\n"
			  "    - interrupt td2.vcpu1\n"
			  "  host1:\n"
			  "    - loop 2:\n"
			  "      - build td1\n"
			  "      - run td1\n"
			  "      - loop forever: [zap a]\n"
			  "      - teardown td1\n");

	(void)state;
	assert_int_equal(s->td_count, 3);
	assert_int_equal(s->td[0].vcpus, 1);
	assert_int_equal(s->td[1].vcpus, 3);
	assert_int_equal(s->td[2].vcpus, 2);
	assert_false(s->td[0].sept_ve_disable);
	assert_true(s->td[1].sept_ve_disable);
	assert_false(s->td[2].sept_ve_disable);
	assert_false(s->td[0].explicit_life);
	assert_true(s->td[1].explicit_life);
	assert_false(s->td[2].explicit_life);
	check_range(&s->td[0], 0, "a", 0, SCN_FREE, 0, 2);
	check_range(&s->td[1], 0, "x", 1, SCN_FREE, 0, 2);
	check_range(&s->td[1], 1, "a", 0, SCN_MAPPED, 2 * MB2, 1);
	assert_int_equal(s->td[0].pages, 2);
	assert_int_equal(s->td[1].pages, 1025);
	assert_int_equal(s->td[2].pages, 0);
	CHECK_GUEST(&s->td[0].vcpu[0], { .code = GUEST_READ, .count = 2 });
	assert_int_equal(s->td[1].vcpu[0].count, 0);
	CHECK_GUEST(&s->td[1].vcpu[2], { .code = GUEST_READ, .gpa = 2 * MB2, .count = 1 });
	CHECK_GUEST(&s->td[2].vcpu[1], { .code = GUEST_HALT, .count = 1 });
	assert_int_equal(s->host_count, 2);
	CHECK_HOST(&s->host[0], { .code = SCN_HOST_MAP, .count = 2 },
		   { .code = SCN_HOST_ZAP, .gpa = 0x1000, .count = 1 },
		   { .code = SCN_HOST_ZAP, .td = 1, .gpa = 2 * MB2, .count = 1 },
		   { .code = SCN_HOST_MAP,
		     .td = 1,
		     .level = 1,
		     .random = true,
		     .gpa = MB2,
		     .count = 1 },
		   { .code = SCN_HOST_ZAP, .td = 1, .level = 1, .count = 2 },
		   { .code = SCN_HOST_SIGNAL }, { .code = SCN_HOST_SIGNAL, .td = 1, .vcpu = 2 },
		   { .code = SCN_HOST_INTERRUPT },
		   { .code = SCN_HOST_INTERRUPT, .td = 2, .vcpu = 1 });
	CHECK_HOST(&s->host[1], { .code = SCN_HOST_LOOP, .times = 2, .match = 7 },
		   { .code = SCN_HOST_BUILD, .td = 1 }, { .code = SCN_HOST_RUN, .td = 1 },
		   { .code = SCN_HOST_LOOP, .times = GUEST_FOREVER, .match = 5 },
		   { .code = SCN_HOST_ZAP, .count = 2 }, { .code = SCN_HOST_END, .match = 3 },
		   { .code = SCN_HOST_TEARDOWN, .td = 1 }, { .code = SCN_HOST_END });
	scenario_free(s);
}

/* JSON is YAML; CRLF, a byte order mark, comments and a document start change nothing. */
static void test_dresses(void **state)
{
	static const char *const texts[] = {
		"{\"title\": \"t\", \"td\": {\"vcpus\": 2}, \"run\": {\"vcpu1\": [\"halt\"]}}",
		"title: t\r\ntd: {vcpus: 2}\r\nrun:\r\n  vcpu1:\r\n  - halt\r\n",
		"\xef\xbb\xbftitle: t\ntd: {vcpus: 2}\nrun: {vcpu1: [halt]}",
		"# head\n---\ntitle: t # tail\ntd:\n  vcpus: 2\n\n\nrun: {vcpu1: [halt]}\n...\n",
		"'title': 't'\n? td\n: {'vcpus': 2}\nrun: {td0.vcpu1: [' halt ']}\n",
		"title: >-\n  t\ntd: {vcpus: 2}\nrun: {vcpu1: [\"\\x68alt\"]}\n",
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(texts); i++) {
		struct scenario *s = read_good(texts[i]);

		assert_string_equal(s->title, "t");
		assert_int_equal(s->td[0].vcpus, 2);
		CHECK_GUEST(&s->td[0].vcpu[1], { .code = GUEST_HALT, .count = 1 });
		scenario_free(s);
	}
}

static void test_quotes(void **state)
{
	static const struct {
		const char *written;
		const char *title;
	} rows[] = {
		{ "'it''s'", "it's" },
		{ "''''", "'" },
		{ "''''''''''''''''", "'''''''" },
		{ "'''a'' b'", "'a' b" },
		{ "'\\n \" # x: [y], {z}'", "\\n \" # x: [y], {z}" },
		{ "\"it's \\\"so\\\" \\x41\"", "it's \"so\" A" },
		{ "it's \"so\"", "it's \"so\"" },
		{ "two\n  lines", "two lines" },
		{ "\"two\n  lines\"", "two lines" },
		{ "|-\n  block", "block" },
		{ "'\xc3\xa9'", "\xc3\xa9" },
	};
	char text[256];

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct scenario *s;

		snprintf(text, sizeof(text), "title: %s\ntd: {vcpus: 1}\nrun: {}\n",
			 rows[i].written);
		s = read_good(text);
		assert_string_equal(s->title, rows[i].title);
		scenario_free(s);
	}
}

/*
 * Each range starts at the next multiple of its own leaf size: 4K ranges lie next to each other and
 * one instruction may walk over them, a 2M range is aligned.
 */
static void test_placement(void **state)
{
	struct scenario *s =
		read_good("title: t\n"
			  "td:\n"
			  "  vcpus: 2\n"
			  "  memory:\n"
			  "    a: {}\n"
			  "    b: {state: pending}\n"
			  "    c: {size: 8K}\n"
			  "    big: {level: 2M}\n"
			  "    d: {}\n"
			  "    e: {state: mapped}\n"
			  "    huge: {level: 2M, size: 4M}\n"
			  "    full: {size: 2M}\n"
			  "    last: {level: 2M}\n"
			  "run:\n"
			  "  vcpu0: [touch a..b, touch b..c, touch a..c@0, touch d..e]\n"
			  "  vcpu1: [read d, read e, read full@511, read last]\n"
			  "  host0: [zap b, zap huge@1]\n");
	const struct scn_td *td = &s->td[0];

	(void)state;
	assert_int_equal(td->range_count, 9);
	check_range(td, 0, "a", 0, SCN_FREE, 0, 1);
	check_range(td, 1, "b", 0, SCN_PENDING, 0x1000, 1);
	check_range(td, 2, "c", 0, SCN_FREE, 0x2000, 2);
	check_range(td, 3, "big", 1, SCN_FREE, MB2, 1);
	check_range(td, 4, "d", 0, SCN_FREE, 2 * MB2, 1);
	check_range(td, 5, "e", 0, SCN_MAPPED, 2 * MB2 + 0x1000, 1);
	check_range(td, 6, "huge", 1, SCN_FREE, 3 * MB2, 2);
	check_range(td, 7, "full", 0, SCN_FREE, 5 * MB2, 512);
	check_range(td, 8, "last", 1, SCN_FREE, 6 * MB2, 1);
	assert_int_equal(td->pages, 7 * 512);
	CHECK_GUEST(&td->vcpu[0], { .code = GUEST_TOUCH, .count = 2 },
		    { .code = GUEST_TOUCH, .gpa = 0x1000, .count = 3 },
		    { .code = GUEST_TOUCH, .count = 3 },
		    { .code = GUEST_TOUCH, .gpa = 2 * MB2, .count = 2 });
	CHECK_GUEST(&td->vcpu[1], { .code = GUEST_READ, .gpa = 2 * MB2, .count = 1 },
		    { .code = GUEST_READ, .gpa = 2 * MB2 + 0x1000, .count = 1 },
		    { .code = GUEST_READ, .gpa = 6 * MB2 - 0x1000, .count = 1 },
		    { .code = GUEST_READ, .level = 1, .gpa = 6 * MB2, .count = 1 });
	CHECK_HOST(&s->host[0], { .code = SCN_HOST_ZAP, .gpa = 0x1000, .count = 1 },
		   { .code = SCN_HOST_ZAP, .level = 1, .gpa = 4 * MB2, .count = 1 });
	scenario_free(s);
}

static struct scenario *read_host(const char *host)
{
	char text[512];

	snprintf(text, sizeof(text), "title: t\ntd: {vcpus: 1}\nhost: %s\nrun: {}\n", host);
	return read_good(text);
}

/* @pattern with a number where "-N" stands. */
static const char *with_number(const char *pattern, u32 n, char *out, size_t size)
{
	size_t head = strlen(pattern);

	if (head > 2 && !strcmp(pattern + head - 2, "-N"))
		snprintf(out, size, "%.*s%u", (int)head - 1, pattern, n);
	else
		snprintf(out, size, "%s", pattern);
	return out;
}

/* Every policy of the host is known here by its name; the first is the default. */
static void test_policies(void **state)
{
	char text[256], name[64];
	u32 i;

	(void)state;
	for (i = 0; host_policy_name(i); i++) {
		struct host_policy want;
		struct scenario *s;

		with_number(host_policy_name(i), 3, name, sizeof(name));
		snprintf(text, sizeof(text), "{policy: %s}", name);
		s = read_host(text);
		assert_string_equal(s->rules.name, name);
		assert_int_equal(host_policy_init(&want, name, strlen(name)), 0);
		assert_memory_equal(&s->rules, &want, sizeof(want));
		assert_int_equal(s->set_count, 0);
		scenario_free(s);
	}
	assert_int_equal(i, 7);
	assert_string_equal(host_policy_name(0), "kvm-6.19");
}

/* Every value of every switch and site is taken, and is what the policy then says. */
static void test_settings(void **state)
{
	char text[256], value[64], word[HOST_WORD_MAX];

	(void)state;
	for (u32 i = 0; host_setting_name(i); i++) {
		for (u32 j = 0; host_setting_value(i, j); j++) {
			struct scenario *s;

			with_number(host_setting_value(i, j), 1000000, value, sizeof(value));
			snprintf(text, sizeof(text), "{set: {%s: %s}}", host_setting_name(i),
				 value);
			s = read_host(text);
			assert_int_equal(s->set_count, 1);
			assert_int_equal(s->set[0].setting, i);
			assert_string_equal(s->set[0].value, value);
			if (i >= host_setting_sites()) {
				u32 site = 0;

				while (strcmp(host_site_name((enum host_site)site),
					      host_setting_name(i)) != 0)
					site++;
				assert_string_equal(site_rule_name(&s->rules.site[site], word),
						    value);
			} else if (i >= host_setting_switches()) {
				u32 sw = i - host_setting_switches();

				assert_string_equal(
					host_value_name((enum host_value)s->rules.sw[sw]), value);
			}
			scenario_free(s);
		}
		/* More than one, or it would be no switch. */
		assert_non_null(host_setting_value(i, 1));
	}
}

static void test_settings_in_order(void **state)
{
	char text[256];
	struct scenario *s = read_host("{set: {remove-on-busy: blind-16, zap-track: endless, "
				       "install-on-busy: re-enter, fault-retry: local}, "
				       "policy: resume-and-kick}");
	const struct host_policy *p = &s->rules;

	(void)state;
	assert_int_equal(p->site[HOST_SITE_zap_block].action, SITE_BLIND);
	assert_int_equal(p->site[HOST_SITE_zap_block].tries, 16);
	assert_int_equal(p->site[HOST_SITE_zap_track].action, SITE_ENDLESS);
	assert_int_equal(p->site[HOST_SITE_zap_remove].tries, 16);
	assert_int_equal(p->site[HOST_SITE_zap_wbinvd].action, SITE_MUST_SUCCEED);
	assert_int_equal(p->site[HOST_SITE_fault_aug].action, SITE_LOCAL_RETRY);
	assert_true(HOST_IS(p, fault_retry, local));
	assert_true(HOST_IS(p, enter_on_busy, kick_all));
	scenario_policy_text(s, text, sizeof(text));
	assert_string_equal(text,
			    "resume-and-kick with remove-on-busy blind-16, zap-track endless, "
			    "install-on-busy re-enter, fault-retry local");
	scenario_free(s);
}

static void test_override(void **state)
{
	static const char *const set[] = { "track=no-kick", "zap-remove=must-succeed",
					   "track=kick-on-busy" };
	struct scenario *s = read_host("{policy: blind-2, set: {operands: clobbered}}");
	struct sl_err err;
	char text[256];

	(void)state;
	assert_int_equal(scenario_override(s, NULL, NULL, 0, &err), 0);
	scenario_policy_text(s, text, sizeof(text));
	assert_string_equal(text, "blind-2 with operands clobbered");
	assert_int_equal(scenario_override(s, NULL, set, 3, &err), 0);
	scenario_policy_text(s, text, sizeof(text));
	assert_string_equal(text, "blind-2 with operands clobbered, track kick-on-busy, "
				  "zap-remove must-succeed");
	assert_int_equal(s->rules.site[HOST_SITE_zap_remove].action, SITE_MUST_SUCCEED);
	assert_true(HOST_IS(&s->rules, track, kick_on_busy));
	/* A policy puts an end to the switches of the file. */
	assert_int_equal(scenario_override(s, "exact-92", set, 1, &err), 0);
	scenario_policy_text(s, text, sizeof(text));
	assert_string_equal(text, "exact-92 with track no-kick");
	assert_true(HOST_IS(&s->rules, operands, saved));
	assert_int_equal(s->rules.site[HOST_SITE_zap_block].tries, 16);
	scenario_free(s);
}

#define PLUGIN_TEXT                                                         \
	"title: t\ntd: {vcpus: 1, memory: {a: {}}}\nhost: {policy: p.so}\n" \
	"run: {vcpu0: [accept a]}\n"

/* A shared object is found from the scenario's folder, or from the user's. */
static void test_plugin_path(void **state)
{
	static const char *const set[] = { "track=no-kick" };
	struct scenario *s = read_host("{policy: ./sub/p.so, set: {operands: clobbered}}");
	struct sl_err err;

	(void)state;
	assert_string_equal(s->plugin, "dir/./sub/p.so");
	assert_int_equal(scenario_override(s, "mine.so", set, 1, &err), 0);
	assert_string_equal(s->plugin, "./mine.so");
	assert_int_equal(s->set_count, 1);
	assert_int_equal(scenario_override(s, "/opt/p", NULL, 0, &err), 0);
	assert_string_equal(s->plugin, "/opt/p");
	assert_int_equal(scenario_override(s, "kvm-6.18", NULL, 0, &err), 0);
	assert_null(s->plugin);
	scenario_free(s);
	assert_int_equal(scenario_read_text("x.yaml", PLUGIN_TEXT, strlen(PLUGIN_TEXT), &s, &err),
			 0);
	assert_string_equal(s->plugin, "./p.so");
	scenario_free(s);
	assert_true(scenario_is_plugin("p.so", 4));
	assert_false(scenario_is_plugin(".so", 3));
	assert_false(scenario_is_plugin("kvm-6.19", 8));
}

#define SWITCH_NAMES                                                                      \
	"install-on-busy, remove-on-busy, split-on-busy, reclaim-on-busy, fault-retry, "  \
	"prefault, slot-zap, build-locking, vp-init, populate, populate-pfn, "            \
	"prefault-allowed, stillborn, busy-errno, no-entropy, user-msrs, held-off-exit, " \
	"map-gpa-piece, memory-fault, busy-test, operands, aug-pending, track, "          \
	"enter-on-busy, on-hp-timeout, pending-fault, fences, tdx-lock, accept-level, "   \
	"split-under-read-lock, interrupted-resize, promote, teardown, key-check, "       \
	"reclaim-walk, flush, flush-test, flush-guard, pamt-get, pamt-put, "              \
	"or a site such as zap-block"
#define SWITCHES "expected one of " SWITCH_NAMES

static void test_override_refused(void **state)
{
	static const struct {
		const char *policy, *set, *text;
	} bad[] = {
		{ "kvm-6.20", NULL,
		  "--policy: found 'kvm-6.20'; expected a policy that this version knows: kvm-6.19, "
		  "kvm-6.18, kvm-6.16, resume-and-kick, out-of-tree-2023, exact-92, blind-N with N "
		  "from 1 to 1000000, or a shared object such as ./mine.so; did you mean 'kvm-6.19'?" },
		{ NULL, "track", "--set: found 'track'; expected SWITCH=VALUE" },
		{ NULL, "teardown=6.19",
		  "--set teardown: found '6.19'; expected one of pages-first, key-first" },
		{ NULL, "zap-blok=endless",
		  "--set: found switch 'zap-blok'; expected one of " SWITCH_NAMES
		  "; did you mean 'zap-block'?" },
		{ NULL, "track=kick",
		  "--set track: found 'kick'; expected one of kick-after, no-kick, kick-on-busy" },
		{ NULL, "reclaim-tdr=kick-once",
		  "--set reclaim-tdr: found 'kick-once'; expected one of must-succeed, blind-N with N "
		  "from 1 to 1000000, endless" },
	};
	struct scenario *s = read_host("{policy: kvm-6.19}"), *lock;
	struct sl_err err;

	(void)state;
	for (u32 i = 0; i < ARRAY_SIZE(bad); i++) {
		assert_int_equal(scenario_override(s, bad[i].policy, &bad[i].set,
						   bad[i].set != NULL, &err),
				 -EINVAL);
		assert_string_equal(err.text, bad[i].text);
	}
	scenario_free(s);
	lock = read_good("title: t\nlock: {kind: mutex}\nrun: {}\n");
	assert_int_equal(scenario_override(lock, "kvm-6.19", NULL, 0, &err), -ENOTSUP);
	assert_string_equal(err.text,
			    "dir/good.yaml: found a scenario of a lock word, which has no "
			    "host; expected one of a TD for --policy and --set");
	scenario_free(lock);
}

static void test_building(void **state)
{
	struct scenario *s =
		read_good("title: t\n"
			  "module: {entropy-fails: true}\n"
			  "guest: {on-map-retry: retry-3}\n"
			  "td: {vcpus: 3, finalized: false, memory: {a: {size: 8K}, b: {}}}\n"
			  "run:\n"
			  "  vcpu0: [map-range a@1..b private]\n"
			  "  host0: [create-vcpu 1, init-vcpu 2 retry, add a measured try, "
			  "add b, finalize td0 retry, run td0]\n"
			  "  host1: [delete-slot b, create-slot b, unmap-shared a..b, "
			  "prefault a@1, mark-dead]\n");
	const struct scn_td *td = &s->td[0];
	const struct scn_host_op *op = s->host[0].ops;
	const struct guest_op *range = td->vcpu[0].ops;

	(void)state;
	assert_true(s->entropy_fails);
	assert_int_equal(s->on_map_retry, GUEST_MAP_RETRY_N);
	assert_int_equal(s->map_retries, 3);
	assert_true(td->stepwise && td->gated && !td->explicit_life);
	assert_true(!td->vcpu[0].bare && !td->vcpu[0].absent);
	assert_true(td->vcpu[1].bare && td->vcpu[1].absent);
	assert_true(td->vcpu[2].bare && !td->vcpu[2].absent);
	assert_int_equal(range->code, GUEST_MAP_RANGE_PRIVATE);
	assert_int_equal(range->gpa, SL_PAGE_SIZE);
	assert_int_equal(range->count, 2);
	assert_int_equal(s->host[0].count, 6);
	assert_int_equal(op[0].code, SCN_HOST_CREATE_VCPU);
	assert_int_equal(op[0].vcpu, 1);
	assert_true(op[1].code == SCN_HOST_INIT_VCPU && op[1].retry && !op[1].may_fail);
	assert_true(op[2].code == SCN_HOST_ADD && op[2].measured && op[2].may_fail && !op[2].retry);
	assert_true(op[3].code == SCN_HOST_ADD && !op[3].measured && !op[3].may_fail);
	assert_int_equal(op[3].gpa, 2 * SL_PAGE_SIZE);
	assert_true(op[4].code == SCN_HOST_FINALIZE && op[4].retry);
	assert_int_equal(op[5].code, SCN_HOST_RUN);
	op = s->host[1].ops;
	assert_int_equal(op[0].code, SCN_HOST_DELETE_SLOT);
	assert_int_equal(op[1].code, SCN_HOST_CREATE_SLOT);
	assert_true(op[2].code == SCN_HOST_UNMAP_SHARED && op[2].count == 3);
	assert_true(op[3].code == SCN_HOST_PREFAULT && op[3].gpa == SL_PAGE_SIZE);
	assert_int_equal(op[4].code, SCN_HOST_MARK_DEAD);
	scenario_free(s);
}

static void test_largest_memory(void **state)
{
	struct scenario *s = read_good("title: t\nrun: {vcpu0: [touch a@1048575..b@0]}\n"
				       "td: {vcpus: 1, memory: {a: {size: 4G}, b: {size: 60G}}}\n");

	(void)state;
	assert_int_equal(s->td[0].pages, SCN_MEMORY_MAX >> SL_PAGE_SHIFT);
	CHECK_GUEST(&s->td[0].vcpu[0], { .code = GUEST_TOUCH, .gpa = 0xfffff000ull, .count = 2 });
	scenario_free(s);
}

/* ---- bad inputs ---- */

struct bad {
	const char *text;
	const char *error; /* behind "bad.yaml:" */
};

static const struct bad bad_whole_files[] = {
	{ "", "1:1: found no content; expected a mapping with title, td and run" },
	{ "# nothing\n", "1:1: found no content; expected a mapping with title, td and run" },
	{ "title", "1:1: found 'title'; expected a mapping" },
	{ "- title: t\n", "1:1: found a list; expected a mapping" },
	{ "title: t\nrun: {}\n",
	  "1:1: found a mapping without 'td'; expected 'td: {vcpus: N, memory: {...}}' "
	  "or 'lock: {kind: KIND}'" },
	{ "td: {vcpus: 1}\nrun: {}\n",
	  "1:1: found a mapping without 'title'; expected 'title: TEXT'" },
	{ "title: t\ntd: {vcpus: 1}\n",
	  "1:1: found a mapping without 'run'; expected 'run: {vcpu0: [...]}'" },
	{ "title: 'two\n  lines'\n",
	  "1:8: found a quoted value over several lines; expected one line" },
	{ "title: t\ntitle: u\n", "2:1: found key 'title' again; expected it once (line 1)" },
	{ "titel: t\n",
	  "1:1: found key 'titel'; expected one of title, td, lock, module, host, guest, "
	  "run, claims, expect, seconds, engine, memory-model, slow; did you mean 'title'?" },
	{ "frobnicate: 1\n",
	  "1:1: found key 'frobnicate'; expected one of title, td, lock, module, host, "
	  "guest, run, claims, expect, seconds, engine, memory-model, slow" },
	{ "[a]: b\n", "1:1: found a list as a key; expected a word" },
	{ ": b\n", "1:1: found nothing as a key; expected a word" },
	{ "title: [t\n",
	  "2:1: found broken YAML (flow sequence without a closing bracket); expected "
	  "valid YAML" },
	{ "title: \"t\n",
	  "1:9: found broken YAML (double-quoted scalar without closing quote); expected "
	  "valid YAML" },
	{ "title: t\n\ttd: x\n",
	  "1:8: found broken YAML (invalid multiline plain key); expected valid YAML" },
	{ "title: a: b\n",
	  "1:9: found broken YAML (invalid nested block mapping on the same line); "
	  "expected valid YAML" },
	{ "title: @x\n",
	  "1:8: found broken YAML (plain scalar cannot start with '@'); expected valid "
	  "YAML" },
	{ "title: \"\\q\"\n",
	  "1:9: found broken YAML (invalid escape 'q' in double-quoted string); expected "
	  "valid YAML" },
	{ "title: \377\n", "1:8: found byte 0xff; expected UTF-8 text" },
	{ "title: \303", "1:8: found byte 0xc3; expected UTF-8 text" },
	{ "title: \303x", "1:8: found byte 0xc3; expected UTF-8 text" },
	{ "title: \300\257\n", "1:8: found byte 0xc0; expected UTF-8 text" },
	{ "title: \355\240\200\n", "1:8: found byte 0xed; expected UTF-8 text" },
	{ "title: \342\202\254 \364\220\200\200\n", "1:10: found byte 0xf4; expected UTF-8 text" },
	{ "title: \360\237\230\200 \357\273\277\n",
	  "1:10: found a control character; expected text" },
	{ "\342\202\254\360\237\230\200: x\n",
	  "1:1: found key '\342\202\254\360\237\230\200'; expected one of title, td, "
	  "lock, module, host, guest, run, claims, expect, seconds, engine, memory-model, slow" },
	{ "\"\\u009b[31m\": x\n",
	  "1:1: found key '?[31m'; expected one of title, td, lock, module, host, guest, "
	  "run, claims, expect, seconds, engine, memory-model, slow" },
	{ "\303\251\303\251\303\251\303\251\303\251\303\251\303\251\303\251\303\251\303\251"
	  "\303\251\303\251\303\251\303\251\303\251\303\251\303\251\303\251\303\251\303\251"
	  "\303\251\303\251\303\251\303\251\303\251\303\251\303\251\303\251\303\251\303\251"
	  "\303\251\303\251\303\251\303\251\303\251\303\251\303\251\303\251\303\251\303\251"
	  "\303\251\303\251\303\251\303\251\303\251\303\251\303\251\303\251\303\251\303\251"
	  "\303\251\303\251\303\251\303\251\303\251\303\251\303\251\303\251\303\251\303\251"
	  "\303\251\303\251\303\251\303\251\303\251\303\251\303\251\303\251\303\251\303\251"
	  ": x\n",
	  "1:1: found key '\303\251\303\251\303\251\303\251\303\251\303\251\303\251\303\251"
	  "\303\251\303\251\303\251\303\251\303\251\303\251\303\251\303\251\303\251\303\251"
	  "\303\251\303\251\303\251\303\251\303\251\303\251\303\251\303\251\303\251\303\251"
	  "\303\251\303\251...'; expected one of title, td, lock, module, host, guest, "
	  "run, claims, expect, seconds, engine, memory-model, slow" },
	{ "|\n", "2:1: found the string '?'; expected a mapping" },
	{ "title: t\001\n", "1:9: found a control character; expected text" },
	{ "title: \303\251\177\n", "1:9: found a control character; expected text" },
	{ "%YAML 1.1\n---\ntitle: t\n", "1:1: found a directive; expected a scenario without" },
	{ "title: t\n---\ntitle: u\n", "2:1: found a second document; expected one" },
	{ "title: t\n...\ntitle: u\n", "3:1: found a second document; expected one" },
	{ "title: &t x\n", "1:8: found an anchor; expected a value written out" },
	{ "title: t\ntd: &a {vcpus: 1}\n", "2:5: found an anchor; expected a value written out" },
	{ "title: &l\n  - x\n", "1:8: found an anchor; expected a value written out" },
	{ "title: !!seq []\n", "1:8: found a tag; expected a value written out" },
	{ "title: *t\n", "1:8: found an alias; expected a value written out" },
	{ "title: !!str t\n", "1:8: found a tag; expected a value written out" },
	{ "<<: {title: t}\n",
	  "1:1: found key '<<'; expected one of title, td, lock, module, host, guest, "
	  "run, claims, expect, seconds, engine, memory-model, slow" },
	{ "[[[[[[[[[[[[[[[[[[[[[[[[[x]]]]]]]]]]]]]]]]]]]]]]]]]\n",
	  "1:25: found more than 24 levels of nesting; expected fewer" },
};

static const struct bad bad_title[] = {
	{ "title:", "1:1: found nothing; expected a title" },
	{ "title: ''", "1:8: found the string ''; expected a title" },
	{ "title: [a]", "1:8: found a list; expected a title" },
	{ "title: {a: b}", "1:8: found a mapping; expected a title" },
	{ "title: \"a\\tb\"",
	  "1:8: found a control character in the title; expected one line of text" },
	{ "title: \"a\\u0085b\"",
	  "1:8: found a control character in the title; expected one line of text" },
	{ "title: xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx"
	  "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx"
	  "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx"
	  "xxxxxxxxxxxxxxxxxxxxxxxx",
	  "1:8: found a title of 257 bytes; expected at most 256" },
};

static const struct bad bad_module[] = {
	{ "", "2:1: found nothing; expected a mapping" },
	{ "1.5.01", "2:9: found '1.5.01'; expected a mapping" },
	{ "{relase: \"1.5.01\"}",
	  "2:10: found key 'relase'; expected one of release, flavour, zero-step-threshold,"
	  " hp-timeout, packages, contents, measurement, interrupts, "
	  "entropy-fails, dynamic-pamt; did you mean 'release'?" },
	{ "{release: \"1.5.26\"}",
	  "2:19: found the string '1.5.26'; expected one of 1.5.01, 1.5.25; did you mean "
	  "'1.5.25'?" },
	{ "{release: 1.5}", "2:19: found '1.5'; expected one of 1.5.01, 1.5.25" },
	{ "{flavour: publshed}",
	  "2:19: found 'publshed'; expected one of published, hardened; did you mean "
	  "'published'?" },
	{ "{flavour: [hardened]}", "2:19: found a list; expected one of published, hardened" },
	{ "{dynamic-pamt: yes please}", "2:24: found 'yes please'; expected true or false" },
	{ "{dynamic-pamt: true}",
	  "2:24: release 1.5.01 has no dynamic PAMT; expected false, or a release from 1.5.20 on" },
	{ "{zero-step-threshold: 0}", "2:31: found '0'; expected a whole number from 1 to 255" },
	{ "{zero-step-threshold: 256}",
	  "2:31: found '256'; expected a whole number from 1 to 255" },
	{ "{zero-step-threshold: '6'}",
	  "2:31: found the string '6'; expected a whole number from 1 to 255" },
	{ "{zero-step-threshold: -1}", "2:31: found '-1'; expected a whole number from 1 to 255" },
	{ "{zero-step-threshold: 1e2}",
	  "2:31: found '1e2'; expected a whole number from 1 to 255" },
	{ "{zero-step-threshold: 010}",
	  "2:31: found '010'; expected a whole number from 1 to 255" },
	{ "{zero-step-threshold: 99999999999999999999}",
	  "2:31: found '99999999999999999999'; expected a whole number from 1 to 255" },
	{ "{hp-timeout: yes}", "2:22: found 'yes'; expected true or false" },
	{ "{measurement: 1}", "2:23: found '1'; expected true or false" },
	{ "{hp-timeout: 'true'}", "2:22: found the string 'true'; expected true or false" },
	{ "{packages: 9}", "2:20: found '9'; expected a whole number from 1 to 8" },
	{ "{contents: 1}", "2:20: found '1'; expected true or false" },
	{ "{packages: 1, packages: 1}",
	  "2:23: found key 'packages' again; expected it once (line 2)" },
	{ "{contents: }", "2:10: found nothing; expected true or false" },
};

static const struct bad bad_td[] = {
	{ "", "2:1: found nothing; expected a mapping, or a list of up to 4" },
	{ "2", "2:5: found '2'; expected a mapping, or a list of up to 4" },
	{ "[]", "2:5: found an empty list; expected a mapping, or a list of up to 4" },
	{ "{}", "2:5: found a mapping without 'vcpus'; expected 'vcpus: N'" },
	{ "{vcpu: 1}",
	  "2:6: found key 'vcpu'; expected one of vcpus, sept-ve-disable, debug, finalized, memory; did "
	  "you mean 'vcpus'?" },
	{ "{vcpus: 0}", "2:13: found '0'; expected a whole number from 1 to 16" },
	{ "{vcpus: 17}", "2:13: found '17'; expected a whole number from 1 to 16" },
	{ "{vcpus: two}", "2:13: found 'two'; expected a whole number from 1 to 16" },
	{ "{vcpus: 1, sept-ve-disable: on}", "2:33: found 'on'; expected true or false" },
	{ "[{vcpus: 1}, {vcpus: 1}, {vcpus: 1}, {vcpus: 1}, {vcpus: 1}]",
	  "2:54: found more than 4 TDs; expected fewer" },
	{ "[{vcpus: 1}, 3]", "2:18: found '3'; expected a mapping" },
	{ "{vcpus: 1, memory: [a]}", "2:24: found a list; expected a mapping of named ranges" },
	{ "{vcpus: 1, memory: {}, memory: {}}",
	  "2:28: found key 'memory' again; expected it once (line 2)" },
};

static const struct bad bad_memory[] = {
	{ "A: {}", "5:5: found 'A'; expected the name of a range: a to z, then a to z, 0 to "
		   "9, '_' or '-'" },
	{ "9a: {}", "5:5: found '9a'; expected the name of a range: a to z, then a to z, 0 to "
		    "9, '_' or '-'" },
	{ "a.b: {}", "5:5: found 'a.b'; expected the name of a range: a to z, then a to z, 0 to "
		     "9, '_' or '-'" },
	{ "'': {}", "5:5: found the string ''; expected the name of a range: a to z, then a to "
		    "z, 0 to 9, '_' or '-'" },
	{ "[a]: {}", "5:5: found a list; expected the name of a range: a to z, then a to z, 0 "
		     "to 9, '_' or '-'" },
	{ "a:", "5:5: found nothing; expected a mapping" },
	{ "a: 4K", "5:8: found '4K'; expected a mapping" },
	{ "a: {levl: 4K}",
	  "5:9: found key 'levl'; expected one of level, size, state; did you mean "
	  "'level'?" },
	{ "a: {level: 1G}", "5:16: found '1G'; expected one of 4K, 2M" },
	{ "a: {level: 4k}", "5:16: found '4k'; expected one of 4K, 2M; did you mean '4K'?" },
	{ "a: {state: maped}",
	  "5:16: found 'maped'; expected one of free, pending, mapped; did you mean "
	  "'mapped'?" },
	{ "a: {state: blocked}", "5:16: found 'blocked'; expected one of free, pending, mapped" },
	{ "a: {level: 2M, state: mapped}",
	  "5:27: found 'mapped' on a 2M range; expected free or pending: TDH.MEM.PAGE.ADD "
	  "takes 4 KB pages only" },
	{ "a: {size: 0}",
	  "5:15: found '0'; expected a size from one page to 64G: bytes, or a number "
	  "with K, M or G" },
	{ "a: {size: 5000}", "5:15: found '5000'; expected a multiple of 4K" },
	{ "a: {size: 4K, level: 2M}", "5:15: found '4K'; expected a multiple of 2M" },
	{ "a: {size: 65G}",
	  "5:15: found '65G'; expected a size from one page to 64G: bytes, or a number "
	  "with K, M or G" },
	{ "a: {size: 64KB}",
	  "5:15: found '64KB'; expected a size from one page to 64G: bytes, or a number "
	  "with K, M or G" },
	{ "a: {size: -4K}",
	  "5:15: found '-4K'; expected a size from one page to 64G: bytes, or a number "
	  "with K, M or G" },
	{ "a: {size: K}",
	  "5:15: found 'K'; expected a size from one page to 64G: bytes, or a number "
	  "with K, M or G" },
	{ "a: {size: [4K]}",
	  "5:15: found a list; expected a size from one page to 64G: bytes, or a number "
	  "with K, M or G" },
	{ "a: {}\n    a: {}", "6:5: found range 'a' again; expected it once" },
	{ "a: {size: 64G}\n    b: {}",
	  "6:5: found ranges of more than 64G in one TD; expected at most that, each "
	  "from a multiple of its leaf size on" },
	{ "a: {size: 64G, level: 2M}\n    b: {level: 2M}",
	  "6:5: found ranges of more than 64G in one TD; expected at most that, each "
	  "from a multiple of its leaf size on" },
	{ "a: {}\n    b: {size: 64G, level: 2M}",
	  "6:5: found ranges of more than 64G in one TD; expected at most that, each "
	  "from a multiple of its leaf size on" },
	{ "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx: {}",
	  "5:5: found a name of 64 characters; expected at most 63" },
};

#define POLICIES                                                                                      \
	"expected a policy that this version knows: kvm-6.19, kvm-6.18, kvm-6.16, "                   \
	"resume-and-kick, out-of-tree-2023, exact-92, blind-N with N from 1 to 1000000, or a shared " \
	"object such as ./mine.so"

static const struct bad bad_host_and_guest[] = {
	{ "host: kvm-6.19", "3:7: found 'kvm-6.19'; expected a mapping" },
	{ "host: {policy: kvm-6.20}",
	  "3:16: found 'kvm-6.20'; " POLICIES "; did you mean 'kvm-6.19'?" },
	{ "host: {policy: blind-0}",
	  "3:16: found 'blind-0'; " POLICIES "; did you mean 'blind-N'?" },
	{ "host: {policy: blind-1000001}", "3:16: found 'blind-1000001'; " POLICIES },
	{ "host: {policy: blind-07}",
	  "3:16: found 'blind-07'; " POLICIES "; did you mean 'blind-N'?" },
	{ "host: {policy: blind-N}",
	  "3:16: found 'blind-N'; " POLICIES "; did you mean 'blind-N'?" },
	{ "host: {policy: [kvm-6.19]}", "3:16: found a list; " POLICIES },
	{ "host: {policy: \"kvm-6.19\\0\"}",
	  "3:16: found the string 'kvm-6.19?'; " POLICIES "; did you mean 'kvm-6.19'?" },
	{ "host: {policy: }", "3:8: found nothing; " POLICIES },
	{ "host: {polcy: kvm-6.19}",
	  "3:8: found key 'polcy'; expected one of policy, set; did you mean 'policy'?" },
	{ "host: {set: remove-on-busy}",
	  "3:13: found 'remove-on-busy'; expected a mapping of switches" },
	{ "host: {set: {remove-on-bussy: fail}}",
	  "3:14: found switch 'remove-on-bussy'; " SWITCHES "; did you mean 'remove-on-busy'?" },
	{ "host: {set: {enter: fatal}}", "3:14: found switch 'enter'; " SWITCHES },
	{ "host: {set: {split-under-read-lock: yes}}",
	  "3:37: found 'yes'; expected one of refused, unblock" },
	{ "host: {set: {accept-level: 2M}}", "3:28: found '2M'; expected one of ignore, split" },
	{ "host: {set: {build-locking: none}}",
	  "3:29: found 'none'; expected one of all-vcpus, per-ioctl" },
	{ "host: {set: {[a]: fail}}", "3:14: found switch a list; " SWITCHES },
	{ "host: {set: {track: no-kick, operands: saved, track: no-kick}}",
	  "3:47: found switch 'track' again; expected it once" },
	{ "host: {set: {remove-on-busy: local-retry}}",
	  "3:30: found 'local-retry'; expected one of kick-once, kick-without-keep-out, "
	  "keep-out-without-kick, fail, blind-N with N from 1 to 1000000, endless" },
	{ "host: {set: {zap-track: blind-0}}",
	  "3:25: found 'blind-0'; expected one of kick-once, kick-without-keep-out, "
	  "keep-out-without-kick, must-succeed, blind-N with N from 1 to 1000000, endless; did you "
	  "mean 'blind-N'?" },
	{ "host: {set: {fault-aug: kick-once}}",
	  "3:25: found 'kick-once'; expected one of local-retry, must-succeed, blind-N with N from 1 "
	  "to 1000000, endless" },
	{ "host: {set: {build-init: local-retry}}",
	  "3:26: found 'local-retry'; expected one of return-busy, must-succeed, blind-N with N from "
	  "1 to 1000000, endless" },
	{ "host: {set: {track: }}", "3:14: found nothing; expected one of kick-after, no-kick, "
				    "kick-on-busy" },
	{ "host: {set: {track: {a: b}}}",
	  "3:21: found a mapping; expected one of kick-after, no-kick, kick-on-busy" },
	{ "guest: retry", "3:8: found 'retry'; expected a mapping" },
	{ "guest: {on-busy: again}",
	  "3:18: found 'again'; expected retry, fatal, spin-with-other-call, or retry-N "
	  "with N from 1 to 1000000" },
	{ "guest: {on-busy: retry-0}",
	  "3:18: found 'retry-0'; expected retry, fatal, spin-with-other-call, or retry-N "
	  "with N from 1 to 1000000; did you mean 'retry'?" },
	{ "guest: {on-busy: retry-1000001}",
	  "3:18: found 'retry-1000001'; expected retry, fatal, spin-with-other-call, "
	  "or retry-N with N from 1 to 1000000" },
	{ "guest: {on-map-retry: contine}",
	  "3:23: found 'contine'; expected continue, ignore, or retry-N with N from 1 to 1000000; did "
	  "you mean 'continue'?" },
	{ "guest: {on-map-retry: retry-0}",
	  "3:23: found 'retry-0'; expected continue, ignore, or retry-N with N from 1 to 1000000" },
	{ "guest: {on-busy: retry-}",
	  "3:18: found 'retry-'; expected retry, fatal, spin-with-other-call, or retry-N "
	  "with N from 1 to 1000000; did you mean 'retry'?" },
	{ "guest: {on-bussy: retry}",
	  "3:9: found key 'on-bussy'; expected one of on-busy, on-map-retry; did you mean 'on-busy'?" },
};

static const struct bad bad_verdicts[] = {
	{ "claims: all-finish", "4:9: found 'all-finish'; expected a list of claims" },
	{ "claims: [all-finsh]",
	  "4:10: found 'all-finsh'; expected a claim that this version checks: "
	  "all-finish, no-stale-hp, hp-kept, never STATUS, "
	  "retries(SITE) <= N, busy(LEAF) <= N; did you mean 'all-finish'?" },
	{ "claims: [retries(zp) <= 1]",
	  "4:10: found site 'zp'; expected a site of the host, such as zap-block, or all of a kind, "
	  "such as zap" },
	{ "claims: [retries(zap-blok) <= 1]",
	  "4:10: found site 'zap-blok'; expected a site of the host, such as zap-block, or all of a "
	  "kind, such as zap; did you mean 'zap-block'?" },
	{ "claims: [retries(zap) < 1]",
	  "4:10: found 'retries(zap) < 1'; expected '<= N' behind the bracket" },
	{ "claims: [retries(zap)]",
	  "4:10: found 'retries(zap)'; expected '<= N' behind the bracket" },
	{ "claims: [retries(zap) <=]",
	  "4:10: found 'retries(zap) <='; expected a number behind '<='" },
	{ "claims: [retries(zap) <= 201]",
	  "4:10: found 'retries(zap) <= 201'; expected a number from 0 to 200 behind '<='" },
	{ "claims: [retries(zap) <= 1 x]",
	  "4:10: found 'retries(zap) <= 1 x'; expected a number from 0 to 200 behind '<='" },
	{ "claims: [retries() <= 1]", "4:10: found 'retries() <= 1'; expected a name in brackets" },
	{ "claims: [retries(zap <= 1]",
	  "4:10: found 'retries(zap <= 1'; expected a name in brackets" },
	{ "claims: [retries(zap) <= 1, retries(zap-block) <= 2]",
	  "4:29: found a bound on retries(zap-block) again; expected it once" },
	{ "claims: [busy(MEM.PAGE.AGU) <= 1]",
	  "4:10: found leaf 'MEM.PAGE.AGU'; expected a SEAMCALL or TDCALL, such as MEM.PAGE.AUG or "
	  "TDG.MEM.PAGE.ACCEPT" },
	{ "claims: [retries(reclaim) <= 0, retries(zap) <= 0, retries(build) <= 0, retries(sys) <= 0]",
	  "4:73: found more than 16 bounds; expected fewer" },
	{ "claims: [never TDX_OPERAND_BSY]",
	  "4:10: found status 'TDX_OPERAND_BSY'; expected the name of a status; did you mean "
	  "'TDX_OPERAND_BUSY'?" },
	{ "claims: [never BUSY]", "4:10: found status 'BUSY'; expected the name of a status" },
	{ "claims: [never TDX_OPERAND_BUSY(SEPT_TEE)]",
	  "4:10: found operand 'SEPT_TEE'; expected the name of an operand; did you mean "
	  "'SEPT_TREE'?" },
	{ "claims: [never TDX_OPERAND_BUSY(SEPT_TREE]",
	  "4:10: found 'TDX_OPERAND_BUSY(SEPT_TREE'; expected TDX_NAME or TDX_NAME(OPERAND)" },
	{ "claims: [never TDX_OPERAND_BUSY, never TDX_OPERAND_BUSY]",
	  "4:34: found claim 'never TDX_OPERAND_BUSY' again; expected it once" },
	{ "claims: [hp-kept]", "4:10: found claim 'hp-kept' on a TD; expected it on a lock" },
	{ "claims: [all-finish, all-finish]",
	  "4:22: found claim 'all-finish' again; expected it once" },
	{ "claims: [[all-finish]]",
	  "4:10: found a list; expected a claim that this version checks: all-finish, "
	  "no-stale-hp, hp-kept, never STATUS, "
	  "retries(SITE) <= N, busy(LEAF) <= N" },
	{ "expect: hold",
	  "4:9: found 'hold'; expected holds, violated(KIND) or inconclusive; did you "
	  "mean 'holds'?" },
	{ "expect: violated",
	  "4:9: found 'violated'; expected holds, violated(KIND) or inconclusive" },
	{ "expect: violated()",
	  "4:9: found violation ''; expected one of oracle, host-assert, module-halt, "
	  "race, deadlock, livelock, bound, td-killed" },
	{ "expect: violated(host-asert)",
	  "4:9: found violation 'host-asert'; expected one of oracle, host-assert, "
	  "module-halt, race, deadlock, livelock, bound, td-killed; did you mean 'host-asse"
	  "rt'?" },
	{ "expect: violated(everything)",
	  "4:9: found violation 'everything'; expected one of oracle, host-assert, "
	  "module-halt, race, deadlock, livelock, bound, td-killed" },
	{ "expect: [holds]", "4:9: found a list; expected holds, violated(KIND) or inconclusive" },
	{ "seconds: 0", "4:10: found '0'; expected a whole number from 1 to 86400" },
	{ "seconds: 86401", "4:10: found '86401'; expected a whole number from 1 to 86400" },
	{ "memory-model: tsx", "4:15: found 'tsx'; expected one of sc, tso; did you mean 'tso'?" },
	{ "slow: slowly", "4:7: found 'slowly'; expected true or false" },
	{ "seconds: 1.5", "4:10: found '1.5'; expected a whole number from 1 to 86400" },
	{ "seconds: 5s", "4:10: found '5s'; expected a whole number from 1 to 86400" },
};

static const struct bad bad_lanes[] = {
	{ "vcpu2: []", "4:3: found 'vcpu2'; expected vcpu0 to vcpu1, the vCPUs of td0" },
	{ "td1.vcpu0: []", "4:3: found 'td1.vcpu0'; expected td0, the only TD" },
	{ "td0.vcpu5: []", "4:3: found 'td0.vcpu5'; expected vcpu0 to vcpu1, the vCPUs of td0" },
	{ "vpcu1: []",
	  "4:3: found lane 'vpcu1'; expected vcpuN, tdM.vcpuN, hostN, lpN or setup; did you mean "
	  "'vcpu1'?" },
	{ "cpu: []", "4:3: found lane 'cpu'; expected vcpuN, tdM.vcpuN, hostN, lpN or setup" },
	{ "vcpu: []", "4:3: found lane 'vcpu'; expected vcpuN, tdM.vcpuN, hostN, lpN or setup" },
	{ "vcpu-1: []",
	  "4:3: found lane 'vcpu-1'; expected vcpuN, tdM.vcpuN, hostN, lpN or setup; did you mean "
	  "'vcpu1'?" },
	{ "host8: []", "4:3: found lane 'host8'; expected host0 to host7" },
	{ "host: []", "4:3: found lane 'host'; expected vcpuN, tdM.vcpuN, hostN, lpN or setup" },
	{ "lp8: []", "4:3: found lane 'lp8'; expected lp0 to lp7" },
	{ "lp: []", "4:3: found lane 'lp'; expected vcpuN, tdM.vcpuN, hostN, lpN or setup" },
	{ "caller1: []", "4:3: found lane 'caller1' without a 'lock' for it; expected vcpuN, "
			 "tdM.vcpuN, hostN, lpN or setup" },
	{ "lp1: []\n  lp1: []",
	  "5:3: found lane 'lp1' again; expected one program for it (line 4)" },
	{ "lp0: []\n  host0: [build td0]", "4:3: found LP lanes beside 'build', 'run' or "
					   "'teardown'; expected TDs that stand all the time" },
	{ "td0.host0: []",
	  "4:3: found lane 'td0.host0'; expected vcpuN, tdM.vcpuN, hostN, lpN or setup" },
	{ "vcpu0: []\n  td0.vcpu0: []",
	  "5:3: found lane 'td0.vcpu0' again; expected one program for it (line 4)" },
	{ "host1: []\n  host1: []",
	  "5:3: found lane 'host1' again; expected one program for it (line 4)" },
	{ "[a]: []", "4:3: found a list as a key; expected the name of a lane" },
	{ "vcpu0: accept a", "4:10: found 'accept a'; expected a list of operations" },
	{ "vcpu0:", "4:3: found nothing; expected a list of operations" },
	{ "vcpu0: {loop 2: [halt]}", "4:10: found a mapping; expected a list of operations" },
};

/* What a message lists. */
#define GUEST_OPS                                                                                  \
	"accept, read, write, attr-rd, attr-wr, rtmr-extend, report, touch, other-call, map-gpa, " \
	"map-range, halt, {loop N: [...]}"

static const struct bad bad_guest_operations[] = {
	{ "acept a",
	  "5:7: found operation 'acept'; expected one of " GUEST_OPS "; did you mean 'accept'?" },
	{ "frobnicate", "5:7: found operation 'frobnicate'; expected one of " GUEST_OPS },
	{ "''", "5:7: found the string ''; expected an operation" },
	{ "' '", "5:7: found the string ' '; expected an operation" },
	{ "[accept a]", "5:7: found a list; expected an operation" },
	{ "accept", "5:7: found 'accept'; expected 'accept PAGES [LEVEL]'" },
	{ "accept a b", "5:7: found 'b'; expected a level (4K or 2M)" },
	{ "accept a 1G", "5:7: found '1G'; expected a level (4K or 2M)" },
	{ "accept a 4K retry", "5:7: found 'accept a 4K retry'; expected 'accept PAGES [LEVEL]'" },
	{ "halt a", "5:7: found 'halt a'; expected 'halt'" },
	{ "other-call 3", "5:7: found 'other-call 3'; expected 'other-call'" },
	{ "other call", "5:7: found operation 'other'; expected one of " GUEST_OPS
			"; did you mean 'other-call'?" },
	{ "zap a", "5:7: found operation 'zap', which belongs into a host lane; expected one "
		   "of " GUEST_OPS },
	{ "attr-wr", "5:7: found 'attr-wr'; expected 'attr-wr PAGES [LEVEL]'" },
	{ "rtmr-extend", "5:7: found 'rtmr-extend'; expected 'rtmr-extend PAGES [N]'" },
	{ "rtmr-extend a 4", "5:7: found '4'; expected a register from 0 to 3" },
	{ "rtmr-extend a x", "5:7: found 'x'; expected a register from 0 to 3" },
	{ "rtmr-extend a 1 2", "5:7: found 'rtmr-extend a 1 2'; expected 'rtmr-extend PAGES [N]'" },
	{ "report", "5:7: found 'report'; expected 'report PAGES'" },
	{ "report a 1", "5:7: found 'report a 1'; expected 'report PAGES'" },
	{ "accept aa", "5:7: found range 'aa'; expected one of td0: a, b, big, cc" },
	{ "accept bgi", "5:7: found range 'bgi'; expected one of td0: a, b, big, cc; did you mean "
			"'big'?" },
	{ "accept @3",
	  "5:7: found '@3'; expected pages as NAME, NAME@LEAF, NAME@FIRST..LAST, NAME@PART/"
	  "PARTS or NAME@random" },
	{ "accept a@",
	  "5:7: found 'a@'; expected pages as NAME, NAME@LEAF, NAME@FIRST..LAST, NAME@PART/"
	  "PARTS or NAME@random" },
	{ "accept a@16", "5:7: found 'a@16'; expected leaves from 0 to 15 of 'a'" },
	{ "accept a@3..16", "5:7: found 'a@3..16'; expected leaves from 0 to 15 of 'a'" },
	{ "accept a@9..3", "5:7: found 'a@9..3'; expected the first leaf before the last" },
	{ "accept a@x",
	  "5:7: found 'a@x'; expected pages as NAME, NAME@LEAF, NAME@FIRST..LAST, NAME@PART"
	  "/PARTS or NAME@random" },
	{ "accept a@1/0",
	  "5:7: found 'a@1/0'; expected a number of parts that divides the 16 leaves "
	  "of 'a'" },
	{ "accept a@1/3",
	  "5:7: found 'a@1/3'; expected a number of parts that divides the 16 leaves "
	  "of 'a'" },
	{ "accept a@4/4", "5:7: found 'a@4/4'; expected a part from 0 to 3" },
	{ "accept a@1/", "5:7: found 'a@1/'; expected pages as NAME, NAME@LEAF, NAME@FIRST..LAST, "
			 "NAME@PART/PARTS or NAME@random" },
	{ "accept a@1/4/2",
	  "5:7: found 'a@1/4/2'; expected pages as NAME, NAME@LEAF, NAME@FIRST..LAST, "
	  "NAME@PART/PARTS or NAME@random" },
	{ "accept a@random@1",
	  "5:7: found 'a@random@1'; expected pages as NAME, NAME@LEAF, NAME@FIRST..LAST, "
	  "NAME@PART/PARTS or NAME@random" },
	{ "accept a@3@random",
	  "5:7: found 'a@3@random'; expected pages as NAME, NAME@LEAF, NAME@FIRST..LAST, "
	  "NAME@PART/PARTS or NAME@random" },
	{ "accept a@randomly",
	  "5:7: found 'a@randomly'; expected pages as NAME, NAME@LEAF, NAME@FIRST..LAST, "
	  "NAME@PART/PARTS or NAME@random" },
	{ "accept a@-1", "5:7: found 'a@-1'; expected pages as NAME, NAME@LEAF, NAME@FIRST..LAST, "
			 "NAME@PART/PARTS or NAME@random" },
	{ "accept a..b", "5:7: found 'a..b'; expected pages as NAME, NAME@LEAF, NAME@FIRST..LAST, "
			 "NAME@PART/PARTS or NAME@random" },
	{ "accept td0:a",
	  "5:7: found 'td0:a' in a vCPU lane; expected a range of its own TD, without "
	  "'tdN:'" },
	{ "accept x:a",
	  "5:7: found 'x:a'; expected pages as NAME, NAME@LEAF, NAME@FIRST..LAST, NAME@PART"
	  "/PARTS or NAME@random" },
	{ "accept a@99999999999999999999",
	  "5:7: found 'a@99999999999999999999'; expected pages as NAME, NAME@LEAF, "
	  "NAME@FIRST..LAST, NAME@PART/PARTS or NAME@random" },
	{ "accept b@1", "5:7: found 'b@1'; expected leaves from 0 to 0 of 'b'" },
	{ "accept a@3..",
	  "5:7: found 'a@3..'; expected pages as NAME, NAME@LEAF, NAME@FIRST..LAST, "
	  "NAME@PART/PARTS or NAME@random" },
	{ "touch a..",
	  "5:7: found 'a..'; expected pages as NAME, NAME@LEAF, NAME@FIRST..LAST, NAME@PART"
	  "/PARTS or NAME@random" },
	{ "touch a@3..a@1", "5:7: found 'a@3..a@1'; expected the first page before the last" },
	{ "touch big..a", "5:7: found 'big..a'; expected the first page before the last" },
	{ "touch big..cc@random",
	  "5:7: found 'big..cc@random'; expected no '@random' beside '..'" },
	{ "touch big@random..cc",
	  "5:7: found 'big@random..cc'; expected no '@random' beside '..'" },
	{ "touch b..big",
	  "5:7: found 'b..big'; expected ranges of one level: 'b' and 'big' differ" },
	{ "touch a..cc", "5:7: found 'a..cc'; expected ranges of one level: 'b' and 'big' differ" },
	{ "touch a..nope", "5:7: found range 'nope'; expected one of td0: a, b, big, cc" },
	{ "touch big..cc..cc",
	  "5:7: found 'big..cc..cc'; expected pages as NAME, NAME@LEAF, NAME@FIRST..LAST, "
	  "NAME@PART/PARTS or NAME@random" },
	{ "map-gpa a", "5:7: found 'map-gpa a'; expected 'map-gpa PAGES shared|private'" },
	{ "map-range a public", "5:7: found 'public'; expected shared or private" },
	{ "map-range a..",
	  "5:7: found 'map-range a..'; expected 'map-range PAGES shared|private' or "
	  "'map-range PAGES..PAGES shared|private'" },
	{ "map-gpa a public", "5:7: found 'public'; expected shared or private" },
	{ "map-gpa nope shared", "5:7: found range 'nope'; expected one of td0: a, b, big, cc" },
	{ "loop 3", "5:7: found 'loop 3'; expected a mapping: {loop N: [...]}" },
	{ "loop 3: []", "5:15: found an empty list; expected a list of operations" },
	{ "loop 3: halt", "5:15: found 'halt'; expected a list of operations" },
	{ "loop 0: [halt]",
	  "5:7: found 'loop 0'; expected 'loop N', N from 1 to 1000000000, or 'loop "
	  "forever'" },
	{ "loop 1000000001: [halt]",
	  "5:7: found 'loop 1000000001'; expected 'loop N', N from 1 to 1000000000, "
	  "or 'loop forever'" },
	{ "loop ever: [halt]",
	  "5:7: found 'loop ever'; expected 'loop N', N from 1 to 1000000000, or 'loop "
	  "forever'" },
	{ "lopp 3: [halt]",
	  "5:7: found key 'lopp 3'; expected 'loop N' or 'loop forever'; did you mean "
	  "'loop'?" },
	{ "loop: [halt]", "5:7: found key 'loop'; expected 'loop N' or 'loop forever'" },
	{ "{loop 2: [halt], loop 3: [halt]}",
	  "5:24: found a mapping of 2 keys; expected one, 'loop N' or 'loop forever'" },
	{ "{}", "5:7: found a mapping of 0 keys; expected one, 'loop N' or 'loop forever'" },
	{ "? [loop]\n      : [halt]",
	  "5:9: found a list as a key; expected 'loop N' or 'loop forever'" },
	{ "{loop 2: [{loop 2: [{loop 2: [{loop 2: [{loop 2: [halt]}]}]}]}]}",
	  "5:48: found a loop inside 4 loops; expected at most 4 loops in each other" },
	{ "loop 2:\n        - halt\n        - loop 2:\n            - hlat",
	  "8:15: found operation 'hlat'; expected one of " GUEST_OPS "; did you mean 'halt'?" },
};

#define HOST_OPS                                                                          \
	"map, zap, split, promote, signal, interrupt, build, run, teardown, terminate, "  \
	"migrate, offline, prefault, unmap-shared, delete-slot, create-slot, mark-dead, " \
	"create-vcpu, init-vcpu, add, finalize, {loop N: [...]}"

/* td2 is not finalized. */
static const struct bad bad_host_operations[] = {
	{ "delete-slot", "5:7: found 'delete-slot'; expected 'delete-slot RANGE'" },
	{ "delete-slot td1:m@0", "5:7: found 'td1:m@0'; expected a whole range, without '@'" },
	{ "create-slot n", "5:7: found range 'n'; expected one of td0: a" },
	{ "unmap-shared td1:m@3..td1:m@1",
	  "5:7: found 'td1:m@3..td1:m@1'; expected the first page before the last" },
	{ "mark-dead td7", "5:7: found 'td7'; expected a TD from td0 to td2" },
	{ "finalize", "5:7: found 'finalize'; expected 'finalized: false' in td0 for it" },
	{ "finalize td1 retry",
	  "5:7: found 'finalize td1 retry'; expected 'finalized: false' in td1 for it" },
	{ "finalize td2 again",
	  "5:7: found 'finalize td2 again'; expected 'finalize [TD] [retry|try]'" },
	{ "add a", "5:7: found 'add a'; expected 'finalized: false' in td0 for it" },
	{ "add a twice", "5:7: found 'twice'; expected measured, retry or try" },
	{ "add a measured try now",
	  "5:7: found 'add a measured try now'; expected 'add PAGES [measured] [retry|try]'" },
	{ "add retry", "5:7: found 'add retry'; expected 'add PAGES [measured] [retry|try]'" },
	{ "init-vcpu 0", "5:7: found 'init-vcpu 0'; expected 'finalized: false' in td0 for it" },
	{ "init-vcpu td2.vcpu1", "5:7: found 'td2.vcpu1'; expected vcpu0, the only vCPU of td2" },
	{ "create-vcpu td1.vcpu0",
	  "5:7: found 'create-vcpu td1.vcpu0'; expected 'finalized: false' in td1 for it" },
	{ "create-vcpu 0 retry", "5:7: found 'create-vcpu 0 retry'; expected 'create-vcpu VCPU'" },
	{ "build td2", "5:7: found 'build td2', a TD that is not finalized; expected 'run' of it "
		       "only, behind 'finalize'" },
	{ "teardown td2",
	  "5:7: found 'teardown td2', a TD that is not finalized; expected 'run' of "
	  "it only, behind 'finalize'" },
	{ "terminate td2",
	  "5:7: found 'terminate td2', a TD that is not finalized; expected 'run' of "
	  "it only, behind 'finalize'" },
	{ "zpa a",
	  "5:7: found operation 'zpa'; expected one of " HOST_OPS "; did you mean 'zap'?" },
	{ "accept a", "5:7: found operation 'accept', which belongs into a vCPU lane; expected "
		      "one of " HOST_OPS },
	{ "split", "5:7: found 'split'; expected 'split PAGES'" },
	{ "split m", "5:7: found range 'm'; expected one of td0: a" },
	{ "promote a 2M", "5:7: found 'promote a 2M'; expected 'promote PAGES'" },
	{ "migrate 0", "5:7: found 'migrate 0'; expected 'migrate VCPU LP'" },
	{ "migrate 1 0", "5:7: found '1'; expected vcpu0, the only vCPU of td0" },
	{ "migrate 0 lp0", "5:7: found 'lp0'; expected an LP from 0 to 3" },
	{ "offline 4", "5:7: found '4'; expected an LP from 0 to 3" },
	{ "offline", "5:7: found 'offline'; expected 'offline LP'" },
	{ "terminate", "5:7: found 'terminate'; expected 'terminate TD'" },
	{ "terminate td9", "5:7: found 'td9'; expected a TD from td0 to td2" },
	{ "teardown", "5:7: found 'teardown'; expected 'teardown TD'" },
	{ "teardown all", "5:7: found 'all'; expected a TD: tdN" },
	{ "build td3", "5:7: found 'td3'; expected a TD from td0 to td2" },
	{ "run 1", "5:7: found '1'; expected a TD: tdN" },
	{ "teardown td1 now", "5:7: found 'teardown td1 now'; expected 'teardown TD'" },
	{ "zap", "5:7: found 'zap'; expected 'zap PAGES'" },
	{ "zap m", "5:7: found range 'm'; expected one of td0: a" },
	{ "zap td1:a", "5:7: found range 'a'; expected one of td1: m" },
	{ "zap td3:m", "5:7: found 'td3'; expected a TD from td0 to td2" },
	{ "zap vm1:m", "5:7: found 'vm1:m'; expected pages as NAME, NAME@LEAF, NAME@FIRST..LAST, "
		       "NAME@PART/PARTS or NAME@random" },
	{ "zap td2:m", "5:7: found range 'm'; expected no range: td2 has no memory" },
	{ "zap td1:m@4", "5:7: found 'td1:m@4'; expected leaves from 0 to 3 of 'm'" },
	{ "zap td1:", "5:7: found key 'zap td1'; expected 'loop N' or 'loop forever'" },
	{ "zap td1:td1:m", "5:7: found range 'td1:m'; expected one of td1: m" },
	{ "zap td1:m..m",
	  "5:7: found 'td1:m..m'; expected pages as NAME, NAME@LEAF, NAME@FIRST..LAST, "
	  "NAME@PART/PARTS or NAME@random" },
	{ "map td1:m@0..9", "5:7: found 'td1:m@0..9'; expected leaves from 0 to 3 of 'm'" },
	{ "signal", "5:7: found 'signal'; expected 'signal VCPU'" },
	{ "signal 1", "5:7: found '1'; expected vcpu0, the only vCPU of td0" },
	{ "signal td1.vcpu3", "5:7: found 'td1.vcpu3'; expected vcpu0 to vcpu2, the vCPUs of td1" },
	{ "signal td4.vcpu0", "5:7: found 'td4.vcpu0'; expected a TD from td0 to td2" },
	{ "signal m", "5:7: found 'm'; expected a vCPU: N, vcpuN or tdM.vcpuN" },
	{ "interrupt host0", "5:7: found 'host0'; expected a vCPU: N, vcpuN or tdM.vcpuN" },
	{ "loop 2: []", "5:15: found an empty list; expected a list of operations" },
};

#define LP_OPS                                                                               \
	"MEM.PAGE.ADD, MEM.PAGE.AUG, MEM.PAGE.DEMOTE, MEM.PAGE.PROMOTE, MEM.PAGE.RELOCATE, " \
	"MEM.PAGE.REMOVE, MEM.RANGE.BLOCK, MEM.RANGE.UNBLOCK, MEM.RD, MEM.SEPT.ADD, "        \
	"MEM.SEPT.RD, MEM.SEPT.REMOVE, MEM.WR, MR.EXTEND, MEM.TRACK, MR.FINALIZE, "          \
	"MNG.ADDCX, MNG.CREATE, MNG.INIT, MNG.KEY.CONFIG, MNG.KEY.FREEID, "                  \
	"MNG.KEY.RECLAIMID, MNG.VPFLUSHDONE, MNG.RD, MNG.WR, PHYMEM.CACHE.WB, "              \
	"PHYMEM.PAGE.RDMD, PHYMEM.PAGE.RECLAIM, PHYMEM.PAGE.WBINVD, SYS.INFO, SYS.RD, "      \
	"VP.ADDCX, VP.CREATE, VP.ENTER, VP.FLUSH, VP.INIT, VP.INIT/1, VP.RD, VP.WR, "        \
	"{loop N: [...]}"

static const struct bad bad_lp_operations[] = {
	{ "MEM.RANGE.BLOK a", "5:7: found operation 'MEM.RANGE.BLOK'; expected one of " LP_OPS
			      "; did you mean 'MEM.RANGE.BLOCK'?" },
	{ "zap a",
	  "5:7: found operation 'zap', which belongs into a host lane; expected one of " LP_OPS },
	{ "MEM.PAGE.AUG",
	  "5:7: found 'MEM.PAGE.AUG'; expected 'MEM.PAGE.AUG PAGES [LEVEL] [spareN] [retry]'" },
	{ "MEM.PAGE.AUG b", "5:7: found range 'b'; expected one of td0: a" },
	{ "MEM.PAGE.AUG a 3M", "5:7: found '3M'; expected a level (4K, 2M, 1G or 512G) or spareN" },
	{ "MEM.PAGE.AUG a spare8", "5:7: found 'spare8'; expected spare0 to spare7" },
	{ "MEM.PAGE.AUG a spare", "5:7: found 'spare'; expected a level (4K, 2M, 1G or 512G) or "
				  "spareN" },
	{ "MEM.PAGE.AUG a 2M now", "5:7: found 'now'; expected nothing more but spareN" },
	{ "MEM.PAGE.AUG a spare1 2M", "5:7: found '2M'; expected nothing more" },
	{ "MEM.PAGE.AUG a 2M spare1 retry now",
	  "5:7: found 'MEM.PAGE.AUG a 2M spare1 retry now'; expected 'MEM.PAGE.AUG PAGES [LEVEL] "
	  "[spareN] [retry]'" },
	{ "MEM.RD a spare0", "5:7: found 'spare0'; expected a level (4K, 2M, 1G or 512G)" },
	{ "MEM.SEPT.REMOVE a 2M spare0",
	  "5:7: found 'MEM.SEPT.REMOVE a 2M spare0'; expected 'MEM.SEPT.REMOVE PAGES [LEVEL] "
	  "[retry]'" },
	{ "MEM.SEPT.ADD retry",
	  "5:7: found 'MEM.SEPT.ADD retry'; expected 'MEM.SEPT.ADD PAGES [LEVEL] [spareN] "
	  "[retry]'" },
	{ "MEM.TRACK td0 now",
	  "5:7: found 'MEM.TRACK td0 now'; expected 'MEM.TRACK [TD] [retry]'" },
	{ "MEM.TRACK td1", "5:7: found 'td1'; expected td0, the only TD" },
	{ "VP.FLUSH 1", "5:7: found '1'; expected vcpu0, the only vCPU of td0" },
	{ "MNG.RD", "5:7: found 'MNG.RD'; expected 'MNG.RD FIELD [TD] [retry]'" },
	{ "MNG.RD VCPU_STATE",
	  "5:7: found 'VCPU_STATE'; expected a field of a TD, by its id or one of FATAL, NUM_TDCX, "
	  "CHLDCNT, LIFECYCLE_STATE, HKID, NUM_VCPUS, NUM_ASSOC_VCPUS, OP_STATE, MAX_VCPUS, "
	  "NOTIFY_ENABLES, HP_LOCK_TIMEOUT, CONFIG_FLAGS, TD_CTLS, TD_EPOCH, REFCOUNT, BW_EPOCH" },
	{ "SYS.RD MAX_TDMR",
	  "5:7: found 'MAX_TDMR'; expected a field of the module, by its id or one of "
	  "TDX_FEATURES0, MAX_TDMRS, MAX_RESERVED_PER_TDMR, PAMT_ENTRY_SIZE, ATTRIBUTES_FIXED0, "
	  "ATTRIBUTES_FIXED1, XFAM_FIXED0, XFAM_FIXED1; did you mean 'MAX_TDMRS'?" },
	{ "MNG.RD OP_STATE td1", "5:7: found 'td1'; expected td0, the only TD" },
	{ "MNG.WR HP_LOCK_TIMEOUT",
	  "5:7: found 'MNG.WR HP_LOCK_TIMEOUT'; expected 'MNG.WR FIELD VALUE [TD] [retry]'" },
	{ "MNG.WR HP_LOCK_TIMEOUT 1 td0 x",
	  "5:7: found 'MNG.WR HP_LOCK_TIMEOUT 1 td0 x'; expected 'MNG.WR FIELD VALUE [TD] "
	  "[retry]'" },
	{ "MNG.WR HP_LOCK_TIMEOUT 0x", "5:7: found '0x'; expected a value as N or 0xN" },
	{ "MNG.WR HP_LOCK_TIMEOUT 0x12345678123456789",
	  "5:7: found '0x12345678123456789'; expected a value as N or 0xN" },
	{ "VP.RD VCPU_STATE",
	  "5:7: found 'VP.RD VCPU_STATE'; expected 'VP.RD FIELD VCPU [retry]'" },
	{ "VP.RD VCPU_STATE 1", "5:7: found '1'; expected vcpu0, the only vCPU of td0" },
	{ "VP.WR PEND_NMI -1 0", "5:7: found '-1'; expected a value as N or 0xN" },
	{ "SYS.INFO 3", "5:7: found 'SYS.INFO 3'; expected 'SYS.INFO [retry]'" },
	{ "MEM.RD a page=spare0",
	  "5:7: found 'page=spare0'; expected 'MEM.RD PAGES [LEVEL] [retry]', which takes no page" },
	{ "PHYMEM.PAGE.RDMD a owner=TDR",
	  "5:7: found 'owner=TDR'; expected 'PHYMEM.PAGE.RDMD PAGES [LEVEL] [retry]', which takes "
	  "no owner" },
	{ "MEM.PAGE.AUG a page=b", "5:7: found range 'b'; expected one of td0: a" },
	{ "MEM.PAGE.AUG a owner=td1:TDR", "5:7: found 'td1:TDR'; expected td0, the only TD" },
	{ "MEM.TRACK owner=TDVPR1", "5:7: found 'TDVPR1'; expected vcpu0, the only vCPU of td0" },
	{ "VP.ENTER 1", "5:7: found '1'; expected vcpu0, the only vCPU of td0" },
};

/* What has to go together. */
static const struct bad bad_setup[] = {
	{ "{vcpus: 1, memory: {a: {}}}\nrun:\n  setup: [MEM.TRACK]",
	  "4:3: found 'setup' without an LP lane; expected an lpN beside it" },
	{ "{vcpus: 1, memory: {a: {}}}\nrun:\n  lp0: []\n  setup: [{loop forever: [MEM.TRACK]}]",
	  "4:3: found 'loop forever' in 'setup'; expected loops that end" },
	{ "{vcpus: 1, memory: {a: {}}}\nrun:\n  lp0: []\n  setup: [accept a]",
	  "5:11: found operation 'accept', which belongs into a vCPU lane; expected one of " LP_OPS },
	{ "{vcpus: 1}\nrun:\n  lp0: []\n  setup: []\n  setup: []",
	  "6:3: found lane 'setup' again; expected one program for it (line 5)" },
	{ "{vcpus: 1, finalized: false}\nrun:\n  vcpu0: []",
	  "4:3: found a TD that is not finalized; expected host lanes that finalize it, or LP lanes beside "
	  "it, no host lane and no "
	  "lane of its vCPUs" },
	{ "{vcpus: 1, finalized: false}\nrun:\n  lp0: []\n  vcpu0: []",
	  "4:3: found a TD that is not finalized; expected host lanes that finalize it, or LP lanes beside "
	  "it, no host lane and no "
	  "lane of its vCPUs" },
	{ "[{vcpus: 1}, {vcpus: 1, finalized: false}]\nrun:\n  lp0: []\n  host0: []",
	  "4:3: found a TD that is not finalized; expected host lanes that finalize it, or LP lanes beside "
	  "it, no host lane and no "
	  "lane of its vCPUs" },
	{ "{vcpus: 1, finalized: false, memory: {a: {state: pending}}}\nrun:\n  host0: []",
	  "4:3: found range 'a' of td0 pending; expected free or mapped in a TD that host lanes finalize" },
	{ "{vcpus: 1, finalized: 1}\nrun: {}", "2:27: found '1'; expected true or false" },
	{ "{vcpus: 1, debug: on}\nrun: {}", "2:23: found 'on'; expected true or false" },
};

static const struct bad bad_lock[] = {
	{ "{}", "2:7: found a mapping without 'kind'; expected 'kind: KIND'" },
	{ "sharex", "2:7: found 'sharex'; expected a mapping" },
	{ "{kind: sharex-pp}",
	  "2:14: found 'sharex-pp'; expected one of mutex, sharex, sharex-hp, sept-entry; did you "
	  "mean 'sharex-hp'?" },
	{ "{kind: mutex, flavour: mild}",
	  "2:30: found 'mild'; expected one of published, hardened" },
	{ "{kind: mutex, side: host}", "2:21: found key 'side'; expected one of kind, flavour" },
	{ "{kind: mutex}\ntd: {vcpus: 1}",
	  "2:1: found key 'lock' beside 'td' (line 3); expected one of them" },
	{ "{kind: mutex}\nmodule: {}", "3:1: found key 'module' beside 'lock' (line 2); expected "
				       "a scenario of a lock without it" },
	{ "{kind: mutex}\nguest: {}", "3:1: found key 'guest' beside 'lock' (line 2); expected "
				      "a scenario of a lock without it" },
	{ "{kind: mutex}\nclaims: [no-stale-hp]",
	  "3:10: found claim 'no-stale-hp' on a lock without host priority; expected kind "
	  "sharex-hp or sept-entry" },
	{ "{kind: sharex}\nclaims: [hp-kept]",
	  "3:10: found claim 'hp-kept' on a lock without host priority; expected kind sharex-hp or "
	  "sept-entry" },
	{ "{kind: sharex}\nclaims: [never TDX_SUCCESS]",
	  "3:10: found 'never TDX_SUCCESS' on a lock; expected a claim about the lock" },
};

static const struct bad bad_callers[] = {
	{ "caller8: []", "4:3: found lane 'caller8'; expected caller0 to caller7" },
	{ "caler1: []", "4:3: found lane 'caler1'; expected callerN; did you mean 'caller1'?" },
	{ "host0: []", "4:3: found lane 'host0' in a scenario of a lock; expected callerN" },
	{ "lp3: []", "4:3: found lane 'lp3' in a scenario of a lock; expected callerN" },
	{ "td0.vcpu1: []",
	  "4:3: found lane 'td0.vcpu1' in a scenario of a lock; expected callerN" },
	{ "caller0: []\n  caller0: []",
	  "5:3: found lane 'caller0' again; expected one program for it (line 4)" },
	{ "caller0: [exclusive]", "4:13: found 'exclusive'; expected 'exclusive host|guest' or "
				  "'exclusive host|guest retry'" },
	{ "caller0: [exclusive tester]", "4:13: found 'tester'; expected host or guest" },
	{ "caller0: [shared guest again]", "4:13: found 'again'; expected retry or nothing" },
	{ "caller0: [promote once]", "4:13: found 'once'; expected retry or nothing" },
	{ "caller0: [commit]",
	  "4:13: found operation 'commit', which this kind of lock does not have; expected one of "
	  "exclusive, shared, promote, release, {loop N: [...]}" },
	{ "caller0: [zap a]", "4:13: found operation 'zap'; expected one of exclusive, shared, "
			      "promote, release, {loop N: [...]}" },
	{ "caller0: [relaese]",
	  "4:13: found operation 'relaese'; expected one of exclusive, shared, promote, release, "
	  "{loop N: [...]}; did you mean 'release'?" },
	{ "caller0: [release]",
	  "4:13: found 'release'; expected an acquire before it in the same list" },
	{ "caller0: [exclusive host, release, release]",
	  "4:38: found 'release'; expected an acquire before it in the same list" },
	{ "caller0: [exclusive host]", "4:13: found 'exclusive host' without its release; expected "
				       "'release' behind it in the same list" },
	{ "caller0: [shared host, shared host, release, release]",
	  "4:26: found 'shared host' inside a hold (line 4); expected 'release' before it" },
	{ "caller0: [{loop 2: [shared host retry]}, release]",
	  "4:23: found 'shared host retry' without its release; expected 'release' behind it in "
	  "the same list" },
	{ "caller0: [shared host, {loop 2: [release]}]",
	  "4:36: found 'release'; expected an acquire before it in the same list" },
	{ "caller0: [promote]", "4:13: found 'promote'; expected it once between 'shared host' and "
				"its 'release'" },
	{ "caller0: [exclusive host, promote, release]",
	  "4:29: found 'promote'; expected it once between 'shared host' and its 'release'" },
	{ "caller0: [shared host, promote, promote, release]",
	  "4:35: found 'promote'; expected it once between 'shared host' and its 'release'" },
	{ "caller0: [shared host, {loop 2: [promote]}, release]",
	  "4:36: found 'promote'; expected it once between 'shared host' and its 'release'" },
	{ "caller0: [shared guest, promote, release]",
	  "4:27: found 'promote' in the hold of a guest (line 4); expected it in the hold of a "
	  "host" },
};

static const struct bad bad_entry_callers[] = {
	{ "shared host",
	  "4:13: found operation 'shared', which this kind of lock does not have; expected one of "
	  "exclusive, commit, release, {loop N: [...]}" },
	{ "commit", "4:13: found 'commit'; expected it between 'exclusive' and its 'release'" },
	{ "exclusive host, release, commit",
	  "4:38: found 'commit'; expected it between 'exclusive' and its 'release'" },
};

static const struct bad bad_run[] = {
	{ "", "3:1: found nothing; expected a mapping of lanes" },
	{ " []", "3:6: found an empty list; expected a mapping of lanes" },
	{ " vcpu0", "3:6: found 'vcpu0'; expected a mapping of lanes" },
	{ " {vcpu0: [halt], }x",
	  "3:23: found broken YAML (invalid value after mapping); expected valid YAML" },
};

static const struct bad bad_many_ranges[] = {
	{ "accept quite-a-long-range-number",
	  "3:15: found range 'quite-a-long-range-number'; expected one of td0: qu"
	  "ite-a-long-range-number-0, quite-a-long-range-number-1, quite-a-long-r"
	  "ange-number-2, quite-a-long-range-number-3, quite-a-long-range-number-"
	  "4, quite-a-long-range-number-5, quite-a-long-range-number-6, quite-a-l"
	  "ong-range-number-7, quite-a-long-range-number-8, quite-a-long-range-nu"
	  "mber-9, quite-a-long-range-number-10, quite-a-long-range-number-11, qu"
	  "ite-a-long-range-number-12, quite-a-long-range-number-13, quite-a-long"
	  "-range-number-14, quite-a-long-range-number-15, quite-a-long-range-num"
	  "ber-16, quite-a-long-range-number-17, quite-a-long-range-number-18, qu"
	  "ite-a-long-range-number-19, quite-a-long-range-number-20, ...; did you"
	  " mean 'quite-a-long-range-number-0'?" },
	{ "accept quite-a-long-range-numbre-14",
	  "3:15: found range 'quite-a-long-range-numbre-14'; expected one of td0:"
	  " quite-a-long-range-number-0, quite-a-long-range-number-1, quite-a-lon"
	  "g-range-number-2, quite-a-long-range-number-3, quite-a-long-range-numb"
	  "er-4, quite-a-long-range-number-5, quite-a-long-range-number-6, quite-"
	  "a-long-range-number-7, quite-a-long-range-number-8, quite-a-long-range"
	  "-number-9, quite-a-long-range-number-10, quite-a-long-range-number-11,"
	  " quite-a-long-range-number-12, quite-a-long-range-number-13, quite-a-l"
	  "ong-range-number-14, quite-a-long-range-number-15, quite-a-long-range-"
	  "number-16, quite-a-long-range-number-17, quite-a-long-range-number-18,"
	  " quite-a-long-range-number-19, quite-a-long-range-number-20, ...; did "
	  "you mean 'quite-a-long-range-number-14'?" },
	{ "accept rrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrr",
	  "3:15: found range 'rrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrr"
	  "rrrrrrrr...'; expected one of td0: quite-a-long-range-number-0, quite-"
	  "a-long-range-number-1, quite-a-long-range-number-2, quite-a-long-range"
	  "-number-3, quite-a-long-range-number-4, quite-a-long-range-number-5, q"
	  "uite-a-long-range-number-6, quite-a-long-range-number-7, quite-a-long-"
	  "range-number-8, quite-a-long-range-number-9, quite-a-long-range-number"
	  "-10, quite-a-long-range-number-11, quite-a-long-range-number-12, quite"
	  "-a-long-range-number-13, quite-a-long-range-number-14, quite-a-long-ra"
	  "nge-number-15, quite-a-long-range-number-16, quite-a-long-range-number"
	  "-17, quite-a-long-range-number-18, quite-a-long-range-number-19, quite"
	  "-a-long-range-number-20, ..." },
};

/* The gap behind a 4K range in front of a 2M range; one that ends at a multiple of 2M leaves none. */
static const struct bad bad_spans[] = {
	{ "a..b", "3:15: found 'a..b'; expected ranges without a gap: 'big' does not start where "
		  "'a' ends" },
	{ "b..full", "3:15: found 'b..full'; expected ranges without a gap: 'big2' does not start "
		     "where 'b2' ends" },
	{ "full..c",
	  "3:15: found 'full..c'; expected ranges of one level: 'full' and 'big3' differ" },
	{ "big..big2", "3:15: found 'big..big2'; expected ranges of one level: 'big' and 'b' "
		       "differ" },
	{ "b2..big2", "3:15: found 'b2..big2'; expected ranges of one level: 'b2' and 'big2' "
		      "differ" },
	{ "b2..b", "3:15: found 'b2..b'; expected the first page before the last" },
};

static const struct bad bad_guest_operations_of_a_second_TD[] = {
	{ "accept a", "5:7: found range 'a'; expected one of td1: m" },
	{ "touch td1:m",
	  "5:7: found 'td1:m' in a vCPU lane; expected a range of its own TD, without "
	  "'tdN:'" },
};

/* Each text of a group stands between the group's prefix and suffix. */
static const struct {
	const struct bad *rows;
	size_t count;
	const char *prefix;
	const char *suffix;
} bad_groups[] = {
	{ bad_whole_files, ARRAY_SIZE(bad_whole_files), "", "" },
	{ bad_title, ARRAY_SIZE(bad_title), "",
	  "\n"
	  "td: {vcpus: 1}\n"
	  "run: {}\n" },
	{ bad_module, ARRAY_SIZE(bad_module),
	  "title: t\n"
	  "module: ",
	  "\n"
	  "td: {vcpus: 1}\n"
	  "run: {}\n" },
	{ bad_td, ARRAY_SIZE(bad_td),
	  "title: t\n"
	  "td: ",
	  "\n"
	  "run: {}\n" },
	{ bad_memory, ARRAY_SIZE(bad_memory),
	  "title: t\n"
	  "td:\n"
	  "  vcpus: 1\n"
	  "  memory:\n"
	  "    ",
	  "\n"
	  "run: {}\n" },
	{ bad_host_and_guest, ARRAY_SIZE(bad_host_and_guest),
	  "title: t\n"
	  "td: {vcpus: 1}\n",
	  "\n"
	  "run: {}\n" },
	{ bad_verdicts, ARRAY_SIZE(bad_verdicts),
	  "title: t\n"
	  "td: {vcpus: 1}\n"
	  "run: {}\n",
	  "\n" },
	{ bad_lanes, ARRAY_SIZE(bad_lanes),
	  "title: t\n"
	  "td: {vcpus: 2, memory: {a: {size: 64K}, b: {state: pending}, big: {level: "
	  "2M, size: 8M}, cc: {level: 2M}}}\n"
	  "run:\n"
	  "  ",
	  "\n" },
	{ bad_guest_operations, ARRAY_SIZE(bad_guest_operations),
	  "title: t\n"
	  "td: {vcpus: 2, memory: {a: {size: 64K}, b: {state: pending}, big: {level: "
	  "2M, size: 8M}, cc: {level: 2M}}}\n"
	  "run:\n"
	  "  vcpu0:\n"
	  "    - ",
	  "\n" },
	{ bad_host_operations, ARRAY_SIZE(bad_host_operations),
	  "title: t\n"
	  "td: [{vcpus: 1, memory: {a: {}}}, {vcpus: 3, memory: {m: {size: 16K}}}, "
	  "{vcpus: 1, finalized: false}]\n"
	  "run:\n"
	  "  host0:\n"
	  "    - ",
	  "\n" },
	{ bad_lp_operations, ARRAY_SIZE(bad_lp_operations),
	  "title: t\n"
	  "td: {vcpus: 1, memory: {a: {}}}\n"
	  "run:\n"
	  "  lp0:\n"
	  "    - ",
	  "\n" },
	{ bad_setup, ARRAY_SIZE(bad_setup), "title: t\ntd: ", "\n" },
	{ bad_lock, ARRAY_SIZE(bad_lock),
	  "title: t\n"
	  "lock: ",
	  "\nrun: {}\n" },
	{ bad_callers, ARRAY_SIZE(bad_callers),
	  "title: t\n"
	  "lock: {kind: sharex-hp}\n"
	  "run:\n"
	  "  ",
	  "\n" },
	{ bad_entry_callers, ARRAY_SIZE(bad_entry_callers),
	  "title: t\n"
	  "lock: {kind: sept-entry}\n"
	  "run:\n"
	  "  caller0: [",
	  "]\n" },
	{ bad_run, ARRAY_SIZE(bad_run),
	  "title: t\n"
	  "td: {vcpus: 1}\n"
	  "run:",
	  "\n" },
	{ bad_many_ranges, ARRAY_SIZE(bad_many_ranges),
	  "title: t\n"
	  "td: {vcpus: 1, memory: {quite-a-long-range-number-0: {}, quite-a-long-"
	  "range-number-1: {}, quite-a-long-range-number-2: {}, quite-a-long-rang"
	  "e-number-3: {}, quite-a-long-range-number-4: {}, quite-a-long-range-nu"
	  "mber-5: {}, quite-a-long-range-number-6: {}, quite-a-long-range-number"
	  "-7: {}, quite-a-long-range-number-8: {}, quite-a-long-range-number-9: "
	  "{}, quite-a-long-range-number-10: {}, quite-a-long-range-number-11: {}"
	  ", quite-a-long-range-number-12: {}, quite-a-long-range-number-13: {}, "
	  "quite-a-long-range-number-14: {}, quite-a-long-range-number-15: {}, qu"
	  "ite-a-long-range-number-16: {}, quite-a-long-range-number-17: {}, quit"
	  "e-a-long-range-number-18: {}, quite-a-long-range-number-19: {}, quite-"
	  "a-long-range-number-20: {}, quite-a-long-range-number-21: {}, quite-a-"
	  "long-range-number-22: {}, quite-a-long-range-number-23: {}}}"
	  "\n"
	  "run: {vcpu0: [",
	  "]}\n" },
	{ bad_spans, ARRAY_SIZE(bad_spans),
	  "title: t\n"
	  "td: {vcpus: 1, memory: {a: {}, big: {level: 2M}, b: {}, b2: {}, big2: {level: 2M}, "
	  "full: {size: 2M}, big3: {level: 2M}, c: {}}}\n"
	  "run: {vcpu0: [touch ",
	  "]}\n" },
	{ bad_guest_operations_of_a_second_TD, ARRAY_SIZE(bad_guest_operations_of_a_second_TD),
	  "title: t\n"
	  "td: [{vcpus: 1, memory: {a: {}}}, {vcpus: 3, memory: {m: {size: 16K}}}, "
	  "{vcpus: 1}]\n"
	  "run:\n"
	  "  td1.vcpu1:\n"
	  "    - ",
	  "\n" },
};

static void check_caller(const struct scn_caller *c, const struct scn_caller_op *want, u32 count)
{
	assert_true(c->named);
	assert_int_equal(c->count, count);
	for (u32 i = 0; i < count; i++) {
		assert_int_equal(c->ops[i].code, want[i].code);
		assert_int_equal(c->ops[i].guest, want[i].guest);
		assert_int_equal(c->ops[i].retry, want[i].retry);
		assert_int_equal(c->ops[i].times, want[i].times);
		assert_int_equal(c->ops[i].match, want[i].match);
	}
}

#define CHECK_CALLER(c, ...)                                                \
	do {                                                                \
		static const struct scn_caller_op want[] = { __VA_ARGS__ }; \
		check_caller(c, want, ARRAY_SIZE(want));                    \
	} while (0)

static void test_lock(void **state)
{
	struct scenario *s = read_good("title: t\n"
				       "lock: {kind: sharex-hp, flavour: hardened}\n"
				       "run:\n"
				       "  caller0: [exclusive host retry, release]\n"
				       "  caller2:\n"
				       "    - shared host\n"
				       "    - promote\n"
				       "    - release\n"
				       "    - loop forever: [shared guest retry, release]\n"
				       "  caller7: []\n"
				       "claims: [no-stale-hp, hp-kept]\n");

	(void)state;
	assert_int_equal(s->lock, SCN_LOCK_SHAREX_HP);
	assert_int_equal(s->module.flavour, SL_HARDENED);
	assert_int_equal(s->td_count, 0);
	assert_int_equal(s->host_count, 0);
	assert_int_equal(s->lp_count, 0);
	assert_int_equal(s->caller_count, 3);
	assert_true(s->no_stale_hp);
	assert_true(s->hp_kept);
	assert_false(s->caller[1].named);
	CHECK_CALLER(&s->caller[0], { .code = SCN_CALLER_EXCLUSIVE, .retry = true, .match = 1 },
		     { .code = SCN_CALLER_RELEASE });
	CHECK_CALLER(&s->caller[2], { .code = SCN_CALLER_SHARED, .match = 2 },
		     { .code = SCN_CALLER_PROMOTE }, { .code = SCN_CALLER_RELEASE },
		     { .code = SCN_CALLER_LOOP, .times = GUEST_FOREVER, .match = 6 },
		     { .code = SCN_CALLER_SHARED, .guest = true, .retry = true, .match = 5 },
		     { .code = SCN_CALLER_RELEASE }, { .code = SCN_CALLER_END, .match = 3 });
	assert_true(s->caller[7].named);
	assert_int_equal(s->caller[7].count, 0);
	scenario_free(s);

	s = read_good("title: t\nlock: {kind: mutex}\nrun: {}\n");
	assert_int_equal(s->lock, SCN_LOCK_MUTEX);
	assert_int_equal(s->module.flavour, SL_PUBLISHED);
	scenario_free(s);

	s = read_good("title: t\nlock: {kind: sept-entry}\nrun:\n"
		      "  caller1: [exclusive guest, {loop 3: [commit]}, release]\n");
	assert_int_equal(s->lock, SCN_LOCK_SEPT_ENTRY);
	CHECK_CALLER(&s->caller[1], { .code = SCN_CALLER_EXCLUSIVE, .guest = true, .match = 4 },
		     { .code = SCN_CALLER_LOOP, .times = 3, .match = 3 },
		     { .code = SCN_CALLER_COMMIT }, { .code = SCN_CALLER_END, .match = 1 },
		     { .code = SCN_CALLER_RELEASE });
	scenario_free(s);

	/* The plain sharex knows no sides: a guest may promote. */
	s = read_good("title: t\nlock: {kind: sharex}\nrun:\n"
		      "  caller0: [shared guest, promote retry, release]\n");
	assert_int_equal(s->lock, SCN_LOCK_SHAREX);
	assert_true(s->caller[0].ops[1].retry);
	scenario_free(s);
}

static void check_lp(const struct scn_lp *l, const struct scn_lp_op *want, u32 count)
{
	assert_true(l->named);
	assert_int_equal(l->count, count);
	for (u32 i = 0; i < count; i++) {
		assert_int_equal(l->ops[i].code, want[i].code);
		assert_int_equal(l->ops[i].leaf, want[i].leaf);
		assert_int_equal(l->ops[i].td, want[i].td);
		assert_int_equal(l->ops[i].level, want[i].level);
		assert_int_equal(l->ops[i].random, want[i].random);
		assert_int_equal(l->ops[i].page.kind, want[i].page.kind);
		assert_int_equal(l->ops[i].page.td, want[i].page.td);
		assert_int_equal(l->ops[i].page.index, want[i].page.index);
		assert_int_equal(l->ops[i].owner.kind, want[i].owner.kind);
		assert_int_equal(l->ops[i].owner.td, want[i].owner.td);
		assert_int_equal(l->ops[i].owner.index, want[i].owner.index);
		assert_int_equal(l->ops[i].retry, want[i].retry);
		assert_int_equal(l->ops[i].gpa, want[i].gpa);
		assert_int_equal(l->ops[i].count, want[i].count);
		assert_int_equal(l->ops[i].vcpu, want[i].vcpu);
		assert_int_equal(l->ops[i].field, want[i].field);
		assert_int_equal(l->ops[i].value, want[i].value);
		assert_int_equal(l->ops[i].times, want[i].times);
		assert_int_equal(l->ops[i].match, want[i].match);
	}
}

/* SEAMCALLs on metadata. */
static void test_lp_fields(void **state)
{
	static const struct scn_lp_op want[] = {
		{ .code = SCN_LP_SYS, .leaf = SEAMCALL_tdh_sys_info },
		{ .code = SCN_LP_SYS, .leaf = SEAMCALL_tdh_sys_rd, .field = 0x0A00000300000008 },
		{ .code = SCN_LP_TD, .leaf = SEAMCALL_tdh_mng_key_reclaimid },
		{ .code = SCN_LP_TD, .leaf = SEAMCALL_tdh_mng_rd, .field = 0x9210000300000000 },
		{ .code = SCN_LP_TD,
		  .leaf = SEAMCALL_tdh_mng_rd,
		  .td = 1,
		  .field = 0xFFFFFFFFFFFFFFFF },
		{ .code = SCN_LP_TD,
		  .leaf = SEAMCALL_tdh_mng_wr,
		  .td = 1,
		  .field = 0x9110000300000011,
		  .value = 20000 },
		{ .code = SCN_LP_VCPU,
		  .leaf = SEAMCALL_tdh_vp_rd,
		  .td = 1,
		  .vcpu = 1,
		  .field = 0xA020000300000006 },
		{ .code = SCN_LP_VCPU,
		  .leaf = SEAMCALL_tdh_vp_wr,
		  .field = 0xA02000000000000B,
		  .value = 0xAb1 },
		{ .code = SCN_LP_PAGE, .leaf = SEAMCALL_tdh_phymem_page_rdmd, .count = 2 },
		{ .code = SCN_LP_PAGE,
		  .leaf = SEAMCALL_tdh_phymem_page_rdmd,
		  .level = 1,
		  .count = 1,
		  .retry = true },
		{ .code = SCN_LP_SYS, .leaf = SEAMCALL_tdh_sys_info, .retry = true },
		{ .code = SCN_LP_TD,
		  .leaf = SEAMCALL_tdh_mng_wr,
		  .td = 1,
		  .field = 0x9110000300000011,
		  .value = 1,
		  .retry = true },
	};
	struct scenario *s = read_good("title: t\n"
				       "td: [{vcpus: 1, memory: {a: {size: 8K}}}, {vcpus: 2}]\n"
				       "run:\n"
				       "  lp0:\n"
				       "    - SYS.INFO\n"
				       "    - SYS.RD TDX_FEATURES0\n"
				       "    - MNG.KEY.RECLAIMID\n"
				       "    - MNG.RD TD_EPOCH\n"
				       "    - MNG.RD 0xffffffffffffffff td1\n"
				       "    - MNG.WR HP_LOCK_TIMEOUT 20000 td1\n"
				       "    - VP.RD VCPU_EPOCH td1.vcpu1\n"
				       "    - VP.WR PEND_NMI 0xAb1 0\n"
				       "    - PHYMEM.PAGE.RDMD a\n"
				       "    - PHYMEM.PAGE.RDMD a 2M retry\n"
				       "    - SYS.INFO retry\n"
				       "    - MNG.WR HP_LOCK_TIMEOUT 1 td1 retry\n");

	(void)state;
	check_lp(&s->lp[0], want, ARRAY_SIZE(want));
	scenario_free(s);
}

static void test_lps(void **state)
{
	static const struct scn_lp_op want[] = {
		{ .code = SCN_LP_PAGE, .leaf = SEAMCALL_tdh_mem_range_block, .count = 1 },
		{ .code = SCN_LP_TD, .leaf = SEAMCALL_tdh_mem_track },
		{ .code = SCN_LP_TD, .leaf = SEAMCALL_tdh_mem_track, .td = 1 },
		{ .code = SCN_LP_LOOP, .times = 2, .match = 5 },
		{ .code = SCN_LP_PAGE,
		  .leaf = SEAMCALL_tdh_mem_page_remove,
		  .td = 1,
		  .level = 1,
		  .gpa = MB2,
		  .count = 1 },
		{ .code = SCN_LP_END, .match = 3 },
		{ .code = SCN_LP_VCPU, .leaf = SEAMCALL_tdh_vp_flush, .td = 1, .vcpu = 1 },
	};
	struct scenario *s = read_good("title: t\n"
				       "td: [{vcpus: 1, memory: {a: {}}}, {vcpus: 2, memory: "
				       "{b: {level: 2M, size: 4M}}}]\n"
				       "run:\n"
				       "  lp3:\n"
				       "    - MEM.RANGE.BLOCK a\n"
				       "    - MEM.TRACK\n"
				       "    - MEM.TRACK td1\n"
				       "    - loop 2: [\"MEM.PAGE.REMOVE td1:b@1\"]\n"
				       "    - VP.FLUSH td1.vcpu1\n"
				       "  td1.vcpu1: [accept b@0]\n"
				       "claims: [never TDX_OPERAND_BUSY(SEPT_TREE), never "
				       "TDX_EPT_WALK_FAILED]\n");

	(void)state;
	assert_int_equal(s->lock, SCN_LOCK_NONE);
	assert_int_equal(s->lp_count, 1);
	assert_int_equal(s->host_count, 0);
	check_lp(&s->lp[3], want, ARRAY_SIZE(want));
	assert_true(s->td[1].vcpu[1].named);
	assert_false(s->td[1].vcpu[0].named);
	/* A SEAMCALL on a TD does not make its life the lane's. */
	assert_false(s->td[1].explicit_life);
	assert_int_equal(s->never_count, 2);
	assert_int_equal(s->never[0].status, TDX_OPERAND_BUSY | TDX_OPERAND_ID_SEPT_TREE);
	assert_false(s->never[0].any_operand);
	assert_string_equal(s->never[0].text, "TDX_OPERAND_BUSY(SEPT_TREE)");
	assert_int_equal(s->never[1].status, TDX_EPT_WALK_FAILED);
	assert_true(s->never[1].any_operand);
	scenario_free(s);
}

/* page= and owner=, and vCPUs that a raw SEAMCALL enters. */
static void check_named_pages(void)
{
	static const struct scn_lp_op want[] = {
		{ .code = SCN_LP_PAGE,
		  .leaf = SEAMCALL_tdh_mem_page_aug,
		  .td = 1,
		  .count = 1,
		  .page = { SCN_PAGE_GUEST, 0, 512 } },
		{ .code = SCN_LP_TD,
		  .leaf = SEAMCALL_tdh_mem_track,
		  .td = 1,
		  .owner = { SCN_PAGE_TDR, 0, 0 },
		  .retry = true },
		{ .code = SCN_LP_VCPU,
		  .leaf = SEAMCALL_tdh_vp_addcx,
		  .vcpu = 1,
		  .page = { SCN_PAGE_SPARE, 0, 7 },
		  .owner = { SCN_PAGE_TDVPR, 1, 1 } },
		{ .code = SCN_LP_VCPU, .leaf = SEAMCALL_tdh_vp_init | 1 << 16 },
		{ .code = SCN_LP_VCPU, .leaf = SEAMCALL_tdh_vp_enter, .vcpu = 1 },
	};
	struct scenario *s = read_good("title: t\n"
				       "td:\n"
				       "  - {vcpus: 2, memory: {a: {}, b: {level: 2M}}}\n"
				       "  - {vcpus: 2, memory: {a: {}}}\n"
				       "run:\n"
				       "  vcpu0: [read a]\n"
				       "  vcpu1: [read a]\n"
				       "  lp0:\n"
				       "    - MEM.PAGE.AUG td1:a page=td0:b\n"
				       "    - MEM.TRACK td1 owner=TDR retry\n"
				       "    - VP.ADDCX 1 owner=td1:TDVPR1 page=spare7\n"
				       "    - VP.INIT/1 0\n"
				       "    - VP.ENTER 1\n");

	check_lp(&s->lp[0], want, ARRAY_SIZE(want));
	assert_false(s->td[0].vcpu[0].raw);
	assert_true(s->td[0].vcpu[1].raw);
	assert_true(s->td[0].vcpu[1].named);
	scenario_free(s);
}

/* Levels, spare pages, retry, `setup`; and what a TD has to be for some of it. */
static void test_lp_operands(void **state)
{
#define OP(leaf_, level_, gpa_, count_, ...)                                                 \
	{                                                                                    \
		.code = SCN_LP_PAGE, .leaf = SEAMCALL_##leaf_, .level = level_, .gpa = gpa_, \
		.count = count_, __VA_ARGS__                                                 \
	}
	static const struct scn_lp_op want[] = {
		OP(tdh_mem_page_add, 0, 0, 3, 0),
		OP(tdh_mem_page_aug, 0, 0x1000, 1, .page = { SCN_PAGE_SPARE, 0, 0 }),
		OP(tdh_mem_page_relocate, 0, 0x2000, 1, .page = { SCN_PAGE_SPARE, 0, 7 },
		   .retry = true),
		/* Of small pages the table above is meant, of large ones the next. */
		OP(tdh_mem_sept_add, 1, 0, 1, 0),
		OP(tdh_mem_sept_remove, 2, 0, 1, 0),
		OP(tdh_mem_page_promote, 1, 0, 1, .retry = true),
		OP(tdh_mem_page_demote, 1, 2 * MB2, 1, .page = { SCN_PAGE_SPARE, 0, 1 }),
		OP(tdh_mem_range_block, 1, MB2, 2, 0),
		OP(tdh_mem_range_unblock, 3, 0, 1, .retry = true),
		/* From the first small entry of the first large page to the last of the last. */
		OP(tdh_mem_sept_rd, 0, MB2, 1024, 0),
		OP(tdh_mem_rd, 0, 0x1000, 2, 0),
		OP(tdh_mem_wr, 0, 0, 3, .random = true),
		{ .code = SCN_LP_TD, .leaf = SEAMCALL_tdh_mem_track, .retry = true },
		{ .code = SCN_LP_VCPU, .leaf = SEAMCALL_tdh_vp_flush, .retry = true },
	};
#undef OP
	static const struct scn_lp_op setup[] = {
		{ .code = SCN_LP_TD, .leaf = SEAMCALL_tdh_mem_track },
	};
	struct scenario *s = read_good("title: t\n"
				       "module: {interrupts: true}\n"
				       "td: {vcpus: 1, debug: true, finalized: false, memory: {a: "
				       "{size: 12K}, b: {level: 2M, size: 4M}}}\n"
				       "run:\n"
				       "  lp1:\n"
				       "    - MEM.PAGE.ADD a\n"
				       "    - MEM.PAGE.AUG a@1 spare0\n"
				       "    - MEM.PAGE.RELOCATE a@2 4K spare7 retry\n"
				       "    - MEM.SEPT.ADD a@2\n"
				       "    - MEM.SEPT.REMOVE b\n"
				       "    - MEM.PAGE.PROMOTE a retry\n"
				       "    - MEM.PAGE.DEMOTE b@1 spare1\n"
				       "    - MEM.RANGE.BLOCK b\n"
				       "    - MEM.RANGE.UNBLOCK b 512G retry\n"
				       "    - MEM.SEPT.RD b 4K\n"
				       "    - MEM.RD a@1..2\n"
				       "    - MEM.WR a@random\n"
				       "    - MEM.TRACK retry\n"
				       "    - VP.FLUSH 0 retry\n"
				       "  setup: [MEM.TRACK]\n");

	(void)state;
	assert_true(s->module.interrupts);
	assert_true(s->td[0].debug);
	assert_true(s->td[0].unfinished);
	assert_int_equal(s->lp_count, 1);
	check_lp(&s->lp[1], want, ARRAY_SIZE(want));
	check_lp(&s->setup, setup, ARRAY_SIZE(setup));
	scenario_free(s);

	check_named_pages();
	s = read_good("title: t\n"
		      "td: {vcpus: 1, finalized: true, memory: {b: {level: 2M}}}\n"
		      "run: {vcpu0: [accept b 4K, attr-wr b, attr-wr b 4K]}\n");
	assert_false(s->module.interrupts || s->td[0].debug || s->td[0].unfinished);
	assert_int_equal(s->td[0].vcpu[0].ops[0].level, 0);
	assert_int_equal(s->td[0].vcpu[0].ops[0].count, 512);
	assert_int_equal(s->td[0].vcpu[0].ops[1].code, GUEST_ATTR_WR);
	assert_int_equal(s->td[0].vcpu[0].ops[1].level, 1);
	assert_int_equal(s->td[0].vcpu[0].ops[1].count, 1);
	assert_int_equal(s->td[0].vcpu[0].ops[2].count, 512);
	scenario_free(s);
}

static void check_bad(const char *text, size_t size, const char *error)
{
	struct scenario *s = (struct scenario *)1;
	char want[1400];
	struct sl_err err;
	int ret = scenario_read_text("bad.yaml", text, size, &s, &err);

	if (!ret)
		fail_msg("read without an error, expected %s:\n%s", error, text);
	snprintf(want, sizeof(want), "bad.yaml:%s", error);
	assert_int_equal(ret, -EINVAL);
	assert_string_equal(err.text, want);
	assert_null(s);
}

static void test_bad(void **state)
{
	char text[1024];
	size_t rows = 0;

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(bad_groups); i++)
		for (size_t j = 0; j < bad_groups[i].count; j++, rows++) {
			int n = snprintf(text, sizeof(text), "%s%s%s", bad_groups[i].prefix,
					 bad_groups[i].rows[j].text, bad_groups[i].suffix);

			assert_in_range(n, 0, sizeof(text) - 1);
			check_bad(text, (size_t)n, bad_groups[i].rows[j].error);
		}
	assert_true(rows >= 60);
}

/* Inputs that no string literal holds. */
static void test_bad_sizes(void **state)
{
	static const char head[] = "title: t\ntd: {vcpus: 1}\nrun:\n  vcpu0:\n";
	static const char ops[] = "  - halt\n";
	size_t size = SCN_FILE_MAX + 1, used;
	char *text = malloc(size);

	(void)state;
	assert_non_null(text);
	check_bad("title: \0", 8, "1:8: found a control character; expected text");

	memset(text, '#', size);
	check_bad(text, size, "1:1: found more than 1048576 bytes; expected a smaller file");
	check_bad(text, size - 1,
		  "1:1: found no content; expected a mapping with title, td and run");

	memset(text, 'x', size);
	check_bad(text, size - 1, "1:1: found a value of 1048576 bytes; expected at most 4096");
	memset(text, '[', size);
	check_bad(text, size - 1, "1:25: found more than 24 levels of nesting; expected fewer");

	memcpy(text, head, strlen(head));
	used = strlen(head);
	for (u32 i = 0; i <= SCN_OPS_MAX; i++, used += strlen(ops))
		memcpy(text + used, ops, strlen(ops));
	check_bad(text, used,
		  "65541:5: found more than 65536 operations; expected a shorter scenario");

	memcpy(text, "- a\n", 4);
	for (used = 4; used + 4 <= SCN_FILE_MAX; used += 4)
		memcpy(text + used, "- a\n", 4);
	check_bad(text, used, "262144:3: found more than 262144 values; expected a smaller file");

	used = (size_t)sprintf(text, "title: t\nrun: {}\ntd:\n  vcpus: 1\n  memory:\n");
	for (u32 i = 0; i <= SCN_RANGES_MAX; i++)
		used += (size_t)sprintf(text + used, "    r%u: {}\n", i);
	check_bad(text, used, "70:5: found more than 64 ranges; expected fewer");
	free(text);
}

static void test_too_many_lanes(void **state)
{
	static const char text[] = "title: t\n"
				   "td: [{vcpus: 16}, {vcpus: 16}, {vcpus: 16}, {vcpus: 16}]\n"
				   "run:\n"
				   "  host0: [signal 3]\n";

	(void)state;
	check_bad(text, strlen(text),
		  "4:3: found 65 logical processors, one for each lane of a vCPU, a host or an LP "
		  "and those that 'migrate' and 'offline' name; expected at most 64");
}

/* A long path loses its front, never the message. */
static void test_long_path(void **state)
{
	char path[600], want[1200];
	struct scenario *s;
	struct sl_err err;

	(void)state;
	memset(path, 'd', sizeof(path));
	memcpy(path + sizeof(path) - 8, "/x.yaml", 8);
	assert_int_equal(scenario_read_text(path, "titel: x\n", 9, &s, &err), -EINVAL);
	snprintf(
		want, sizeof(want),
		"...%s:1:1: found key 'titel'; expected one of title, td, lock, module, "
		"host, guest, run, claims, expect, seconds, engine, memory-model, slow; did you mean 'title'?",
		path + strlen(path) - 97);
	assert_string_equal(err.text, want);
}

static void test_files(void **state)
{
	static const char text[] = "title: from a file\ntd: {vcpus: 1}\nrun: {}\n";
	char path[] = "test_scenario_XXXXXX";
	struct scenario *s = (struct scenario *)1;
	struct sl_err err;
	FILE *f;
	int fd;

	(void)state;
	assert_int_equal(scenario_read_file("no/such/file.yaml", &s, &err), -ENOENT);
	assert_string_equal(err.text, "no/such/file.yaml: cannot open: No such file or directory");
	assert_null(s);
	assert_int_equal(scenario_read_file(".", &s, &err), -EISDIR);
	assert_string_equal(err.text, ".: cannot read: Is a directory");
	assert_int_equal(scenario_read_file("/dev/null", &s, &err), -EINVAL);
	assert_string_equal(err.text, "/dev/null:1:1: found no content; expected a mapping with "
				      "title, td and run");
	assert_int_equal(scenario_read_file("/dev/zero", &s, &err), -EINVAL);
	assert_string_equal(err.text, "/dev/zero:1:1: found more than 1048576 bytes; expected a "
				      "smaller file");

	fd = mkstemp(path);
	assert_true(fd >= 0);
	f = fdopen(fd, "w");
	assert_non_null(f);
	assert_true(fputs(text, f) >= 0);
	assert_int_equal(fclose(f), 0);
	assert_int_equal(scenario_read_file(path, &s, &err), 0);
	assert_string_equal(s->title, "from a file");
	assert_string_equal(s->path, path);
	scenario_free(s);
	assert_int_equal(unlink(path), 0);
	scenario_free(NULL);
}

/* The YAML library must not speak for itself. */
static void test_quiet(void **state)
{
	static const char text[] = "title: [\n\t- {]\n";
	struct scenario *s;
	struct sl_err err;
	FILE *f = tmpfile();
	int saved = dup(STDERR_FILENO);
	int ret;

	(void)state;
	assert_non_null(f);
	assert_true(saved >= 0);
	fflush(stderr);
	assert_true(dup2(fileno(f), STDERR_FILENO) >= 0);
	ret = scenario_read_text("quiet.yaml", text, strlen(text), &s, &err);
	fflush(stderr);
	assert_true(dup2(saved, STDERR_FILENO) >= 0);
	close(saved);
	assert_int_equal(ret, -EINVAL);
	assert_int_equal(lseek(fileno(f), 0, SEEK_END), 0);
	fclose(f);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_defaults),
		cmocka_unit_test(test_empty_mappings),
		cmocka_unit_test(test_all_keys),
		cmocka_unit_test(test_words),
		cmocka_unit_test(test_guest_program),
		cmocka_unit_test(test_long_program),
		cmocka_unit_test(test_several_tds),
		cmocka_unit_test(test_dresses),
		cmocka_unit_test(test_quotes),
		cmocka_unit_test(test_placement),
		cmocka_unit_test(test_policies),
		cmocka_unit_test(test_settings),
		cmocka_unit_test(test_settings_in_order),
		cmocka_unit_test(test_override),
		cmocka_unit_test(test_override_refused),
		cmocka_unit_test(test_plugin_path),
		cmocka_unit_test(test_building),
		cmocka_unit_test(test_largest_memory),
		cmocka_unit_test(test_lock),
		cmocka_unit_test(test_lps),
		cmocka_unit_test(test_lp_operands),
		cmocka_unit_test(test_lp_fields),
		cmocka_unit_test(test_bad),
		cmocka_unit_test(test_bad_sizes),
		cmocka_unit_test(test_too_many_lanes),
		cmocka_unit_test(test_long_path),
		cmocka_unit_test(test_files),
		cmocka_unit_test(test_quiet),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
