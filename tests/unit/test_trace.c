// SPDX-License-Identifier: MIT
/*
 * Trace files: there and back, every damage refused; and replays of traces that were altered, which
 * must say at which step they stop fitting.
 */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>

#include <cmocka.h>
#include <errno.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <seamlab/seamlab.h>

#include "engine/explore/trace.h"
#include "engine/explore/xp.h"

/* ---- the format ------------------------------------------------------------------------------ */

static struct trace_step some_steps[] = {
	{ .fiber = 0, .kind = XP_START, .at = TRACE_NOWHERE, .hash = 0x1122334455667788ull },
	{ .fiber = 2, .kind = XP_ATOMIC, .op = XP_CAS, .size = 16, .at = 0xFFF0, .hash = ~0ull },
	{ .fiber = 1, .choice = 65535, .kind = XP_CHOICE, .at = TRACE_NOWHERE },
};
static u64 some_shared[] = { 0, 2, 0xFFFE };
static char some_path[] = "dir/\xc3\xa9.yaml";
static char some_text[] = "title: x\n\0rest";

static struct trace some_trace(void)
{
	return (struct trace){ .version = "9.8.7",
			       .build_id = { 1, 2, 0, 255 },
			       .build_id_size = 4,
			       .scenario_path = some_path,
			       .scenario = some_text,
			       .scenario_size = sizeof(some_text) - 1,
			       .kind = "deadlock",
			       .id = "an id",
			       .text = "what came out",
			       .hash_seed = ~0ull,
			       .certain = true,
			       .arena_size = 0x10000,
			       .fibers = 3,
			       .preemptions = 7,
			       .loop_start = 2,
			       .steps = ARRAY_SIZE(some_steps),
			       .shared_count = ARRAY_SIZE(some_shared),
			       .step = some_steps,
			       .shared = some_shared };
}

static u8 *build(const struct trace *t, size_t *size)
{
	struct sl_err err;
	u8 *data;

	if (trace_build(t, &data, size, &err))
		fail_msg("%s", err.text);
	return data;
}

static void assert_same(const struct trace *a, const struct trace *b)
{
	assert_string_equal(a->version, b->version);
	assert_int_equal(a->build_id_size, b->build_id_size);
	assert_memory_equal(a->build_id, b->build_id, a->build_id_size);
	assert_string_equal(a->scenario_path, b->scenario_path);
	assert_int_equal(a->scenario_size, b->scenario_size);
	assert_memory_equal(a->scenario, b->scenario, a->scenario_size);
	assert_string_equal(a->kind, b->kind);
	assert_string_equal(a->id, b->id);
	assert_string_equal(a->text, b->text);
	assert_int_equal(a->hash_seed, b->hash_seed);
	assert_int_equal(a->no_reduction, b->no_reduction);
	assert_int_equal(a->certain, b->certain);
	assert_int_equal(a->minimal, b->minimal);
	assert_int_equal(a->store_buffer, b->store_buffer);
	assert_int_equal(a->arena_size, b->arena_size);
	assert_int_equal(a->fibers, b->fibers);
	assert_int_equal(a->preemptions, b->preemptions);
	assert_int_equal(a->loop_start, b->loop_start);
	assert_int_equal(a->shared_count, b->shared_count);
	for (u32 i = 0; i < a->shared_count; i++)
		assert_int_equal(a->shared[i], b->shared[i]);
	assert_int_equal(a->steps, b->steps);
	for (u32 i = 0; i < a->steps; i++) {
		assert_int_equal(a->step[i].fiber, b->step[i].fiber);
		assert_int_equal(a->step[i].choice, b->step[i].choice);
		assert_int_equal(a->step[i].kind, b->step[i].kind);
		assert_int_equal(a->step[i].op, b->step[i].op);
		assert_int_equal(a->step[i].size, b->step[i].size);
		assert_int_equal(a->step[i].at, b->step[i].at);
		assert_int_equal(a->step[i].hash, b->step[i].hash);
	}
}

static void test_round_trip(void **state)
{
	struct trace t = some_trace(), back;
	struct sl_err err;
	size_t size;
	u8 *data = build(&t, &size);

	(void)state;
	assert_int_equal(trace_parse("x", data, size, &back, &err), 0);
	assert_same(&t, &back);
	trace_free(&back);
	free(data);
	/* The other flags; no shared words, no build id, an empty scenario. */
	t.no_reduction = t.minimal = true;
	t.certain = false;
	t.shared_count = t.build_id_size = t.scenario_size = 0;
	data = build(&t, &size);
	assert_int_equal(trace_parse("x", data, size, &back, &err), 0);
	assert_same(&t, &back);
	trace_free(&back);
	free(data);
}

/* With store buffers fibers without a lane of their own take stores to memory, and they alone do. */
static void test_stores(void **state)
{
	static struct trace_step steps[] = {
		{ .fiber = 0, .kind = XP_FENCE, .at = TRACE_NOWHERE },
		{ .fiber = 4, .kind = XP_FLUSH, .op = XP_STORE, .size = 3, .at = 0x10 },
	};
	struct trace t = some_trace(), back;
	struct sl_err err;
	size_t size;
	u8 *data;

	(void)state;
	t.step = steps;
	t.steps = t.loop_start = ARRAY_SIZE(steps);
	for (u32 i = 0; i < 5; i++) {
		t.store_buffer = i == 1 ? 0 : i == 4 ? 65 : 64;
		steps[1].fiber = i == 2 ? 2 : 4;
		steps[1].kind = i == 3 ? XP_START : XP_FLUSH;
		data = build(&t, &size);
		assert_int_equal(trace_parse("x", data, size, &back, &err), i ? -EINVAL : 0);
		free(data);
		if (i)
			continue;
		assert_same(&t, &back);
		trace_free(&back);
	}
}

/* What a terminal would obey does not get into a trace. */
static void test_control_characters(void **state)
{
	static char path[] = "a\033[2J\n.yaml";
	struct trace t = some_trace(), back;
	struct sl_err err;
	size_t size;
	u8 *data;

	(void)state;
	t.scenario_path = path;
	snprintf(t.text, sizeof(t.text), "a\tb\x7f");
	data = build(&t, &size);
	assert_int_equal(trace_parse("x", data, size, &back, &err), 0);
	assert_string_equal(back.scenario_path, "a?[2J?.yaml");
	assert_string_equal(back.text, "a?b?");
	trace_free(&back);
	free(data);
}

static void test_damage(void **state)
{
	struct trace t = some_trace(), back;
	struct sl_err err;
	size_t size;
	u8 *data = build(&t, &size);
	u8 *longer = malloc(size + 1);

	(void)state;
	assert_non_null(longer);
	for (size_t i = 0; i < size; i++)
		for (u32 bit = 0; bit < 8; bit++) {
			int rc;

			data[i] ^= (u8)(1u << bit);
			rc = trace_parse("some/file", data, size, &back, &err);
			data[i] ^= (u8)(1u << bit);
			if (!rc) {
				/* A bit that zstd does not look at. */
				assert_true(i >= TRACE_HEADER_SIZE);
				assert_same(&t, &back);
				trace_free(&back);
				continue;
			}
			assert_int_equal(rc, -EINVAL);
			assert_ptr_equal(strstr(err.text, "some/file: found "), err.text);
			assert_non_null(strstr(err.text, "; expected "));
		}
	for (size_t i = 0; i < size; i++) {
		/* Memory of that size, so that a sanitizer sees a look behind it. */
		u8 *cut = malloc(i ? i : 1);

		assert_non_null(cut);
		memcpy(cut, data, i);
		assert_int_equal(trace_parse("x", cut, i, &back, &err), -EINVAL);
		free(cut);
	}
	memcpy(longer, data, size);
	longer[size] = 0;
	assert_int_equal(trace_parse("x", longer, size + 1, &back, &err), -EINVAL);
	data[8] = 2;
	assert_int_equal(trace_parse("x", data, size, &back, &err), -EINVAL);
	assert_string_equal(err.text, "x: found trace version 2; expected version 1");
	free(longer);
	free(data);
}

/* The checksum fits, the contents cannot be. */
static void refused(const struct trace *t, const char *what)
{
	struct trace back;
	struct sl_err err = { .text = "accepted" };
	size_t size;
	u8 *data = build(t, &size);
	int rc = trace_parse("x", data, size, &back, &err);

	free(data);
	if (!rc)
		trace_free(&back);
	if (rc != -EINVAL || !strstr(err.text, what))
		fail_msg("expected a word about %s, got %d: %s", what, rc, err.text);
}

static void test_impossible(void **state)
{
	struct trace_step steps[ARRAY_SIZE(some_steps)];
	u64 shared[ARRAY_SIZE(some_shared)];
	struct trace t;

	(void)state;
#define CASE(what, change)                                   \
	do {                                                 \
		memcpy(steps, some_steps, sizeof(steps));    \
		memcpy(shared, some_shared, sizeof(shared)); \
		t = some_trace();                            \
		t.step = steps;                              \
		t.shared = shared;                           \
		change;                                      \
		refused(&t, what);                           \
	} while (0)
	CASE("step 1 ", steps[0].fiber = 3);
	CASE("step 2 ", steps[1].kind = XP_EXIT);
	CASE("step 2 ", steps[1].op = XP_CAS + 1);
	CASE("step 2 ", steps[1].size = 3);
	CASE("step 3 ", steps[2].size = 32);
	CASE("step 3 ", steps[2].at = t.arena_size);
	CASE("0 steps", t.steps = 0);
	CASE("shared word", shared[1] = 3);
	CASE("shared word", shared[1] = 0);
	CASE("shared word", shared[2] = t.arena_size);
	CASE("0 lanes", t.fibers = 0);
	CASE("lanes", t.fibers = XP_FIBERS_MAX + 1);
	CASE("loop", t.loop_start = t.steps + 1);
	CASE("preemptions", t.preemptions = ~0u);
	CASE("kind", snprintf(t.kind, sizeof(t.kind), "flood"));
#undef CASE
}

static void test_limits(void **state)
{
	struct trace t = some_trace();
	struct sl_err err;
	size_t size;
	u8 *data;

	(void)state;
	t.steps = TRACE_STEPS_MAX + 1;
	assert_int_equal(trace_build(&t, &data, &size, &err), -E2BIG);
	t = some_trace();
	t.shared_count = TRACE_SHARED_MAX + 1;
	assert_int_equal(trace_build(&t, &data, &size, &err), -E2BIG);
}

static void test_many_steps(void **state)
{
	struct trace t = some_trace(), back;
	struct sl_err err;
	size_t size;
	u8 *data;

	(void)state;
	t.steps = 100000;
	t.step = calloc(t.steps, sizeof(*t.step));
	assert_non_null(t.step);
	for (u32 i = 0; i < t.steps; i++)
		t.step[i] =
			(struct trace_step){ .fiber = (u8)(i % 3), .at = i % 0x1000, .hash = i };
	data = build(&t, &size);
	assert_int_equal(trace_parse("x", data, size, &back, &err), 0);
	assert_same(&t, &back);
	trace_free(&back);
	free(t.step);
	free(data);
}

static void test_files(void **state)
{
	struct trace t = some_trace(), back;
	char path[] = "/tmp/test_trace_XXXXXX", dir[] = "/tmp/test_trace_XXXXXX";
	int fd = mkstemp(path);
	struct sl_err err;

	(void)state;
	assert_true(fd >= 0);
	close(fd);
	assert_int_equal(trace_write_file(path, &t, &err), 0);
	assert_int_equal(trace_read_file(path, &back, &err), 0);
	assert_same(&t, &back);
	trace_free(&back);
	unlink(path);
	assert_int_equal(trace_read_file(path, &back, &err), -ENOENT);
	assert_non_null(strstr(err.text, path));
	assert_non_null(mkdtemp(dir));
	assert_int_equal(trace_read_file(dir, &back, &err), -EISDIR);
	assert_int_equal(trace_write_file(dir, &t, &err), -EISDIR);
	rmdir(dir);
	assert_int_equal(trace_read_file("/dev/zero", &back, &err), -EINVAL);
	assert_int_equal(trace_write_file("/dev/full", &t, &err), -ENOSPC);
	assert_non_null(strstr(err.text, "/dev/full"));
}

static void test_build_id(void **state)
{
	u8 a[TRACE_BUILD_ID_MAX], b[TRACE_BUILD_ID_MAX];

	(void)state;
	assert_int_equal(trace_build_id(a), 20);
	assert_int_equal(trace_build_id(b), 20);
	assert_memory_equal(a, b, 20);
}

/* ---- replays --------------------------------------------------------------------------------- */

static const char killed[] = "title: Two vCPUs accept one page and give up on BUSY\n"
			     "td: {vcpus: 2, memory: {a: {state: pending}}}\n"
			     "guest: {on-busy: fatal}\n"
			     "run: {vcpu0: [accept a], vcpu1: [accept a]}\n"
			     "expect: violated(td-killed)\n";
static const char starved[] = "title: One vCPU keeps the other from accepting\n"
			      "td: {vcpus: 2, memory: {a: {state: pending}}}\n"
			      "run: {vcpu0: [accept a], vcpu1: [{loop forever: [accept a]}]}\n"
			      "claims: [all-finish]\n"
			      "expect: violated(livelock)\n";

struct files {
	char dir[40], scenario[64], trace[64];
};

static void files_make(struct files *f, const char *text)
{
	FILE *out;

	snprintf(f->dir, sizeof(f->dir), "/tmp/test_trace_XXXXXX");
	assert_non_null(mkdtemp(f->dir));
	snprintf(f->scenario, sizeof(f->scenario), "%s/s.yaml", f->dir);
	snprintf(f->trace, sizeof(f->trace), "%s/s.trace", f->dir);
	out = fopen(f->scenario, "w");
	assert_non_null(out);
	fputs(text, out);
	assert_int_equal(fclose(out), 0);
}

static void files_remove(const struct files *f)
{
	unlink(f->trace);
	unlink(f->scenario);
	rmdir(f->dir);
}

/* Explores @text and leaves the trace in t and in the file. */
static void explore(struct files *f, const char *text, bool no_reduction, u64 seed, struct trace *t)
{
	struct sl_check_options o = { .no_reduction = no_reduction, .hash_seed = seed };
	struct sl_check *check;
	struct sl_err e;
	char err[600];

	files_make(f, text);
	o.path = f->scenario;
	if (sl_check_scenario(&o, &check, err, sizeof(err)))
		fail_msg("%s", err);
	assert_int_equal(sl_check_exit(check), SL_EXIT_EXPECTED);
	assert_int_equal(sl_check_save(check, f->trace, err, sizeof(err)), 1);
	sl_check_free(check);
	assert_int_equal(trace_read_file(f->trace, t, &e), 0);
}

struct outcome {
	enum sl_exit code;
	u32 step, played, rows;
	bool same_build;
	char expected[400], found[400];
};

static struct outcome replay(struct files *f, const struct trace *t)
{
	struct sl_replay_options o = { .path = f->trace };
	struct outcome out = { 0 };
	struct sl_replay *r;
	struct sl_err e;
	char err[600], *text;
	json_t *json, *d;

	assert_int_equal(trace_write_file(f->trace, t, &e), 0);
	if (sl_replay_trace(&o, &r, err, sizeof(err)))
		fail_msg("%s", err);
	out.code = sl_replay_exit(r);
	text = sl_replay_report(r, SL_FORMAT_JSON);
	assert_non_null(text);
	json = json_loads(text, 0, NULL);
	assert_non_null(json);
	free(text);
	d = json_object_get(json, "diverged");
	if (json_is_object(d)) {
		out.step = (u32)json_integer_value(json_object_get(d, "step"));
		snprintf(out.expected, sizeof(out.expected), "%s",
			 json_string_value(json_object_get(d, "expected")));
		snprintf(out.found, sizeof(out.found), "%s",
			 json_string_value(json_object_get(d, "found")));
	}
	out.played = (u32)json_integer_value(json_object_get(json, "steps_played"));
	out.rows = (u32)json_array_size(json_object_get(json, "steps"));
	out.same_build = json_is_true(json_object_get(json, "same_build"));
	json_decref(json);
	text = sl_replay_report(r, SL_FORMAT_TEXT);
	assert_non_null(text);
	assert_int_equal(strstr(text, "diverged at step") != NULL, out.code == SL_EXIT_DIVERGED);
	/* Said where it explains something. */
	assert_int_equal(strstr(text, "that may be all there is to it") != NULL,
			 out.code == SL_EXIT_DIVERGED && !out.same_build);
	free(text);
	sl_replay_free(r);
	return out;
}

static void diverges(struct files *f, const struct trace *t, u32 step, const char *expected,
		     const char *found)
{
	struct outcome o = replay(f, t);

	if (o.code != SL_EXIT_DIVERGED || o.step != step || !strstr(o.expected, expected) ||
	    !strstr(o.found, found))
		fail_msg("step %u instead of %u: expected '%s', found '%s'", o.step, step,
			 o.expected, o.found);
}

static void test_again(void **state)
{
	struct files f;
	struct trace t;
	struct outcome o;

	(void)state;
	for (u32 i = 0; i < 3; i++) {
		explore(&f, killed, i == 1, i == 2 ? 12345 : 0, &t);
		assert_string_equal(t.kind, "td-killed");
		assert_int_equal(t.no_reduction, i == 1);
		o = replay(&f, &t);
		assert_int_equal(o.code, SL_EXIT_EXPECTED);
		assert_int_equal(o.played, t.steps);
		assert_true(o.rows > 2);
		assert_true(o.same_build);
		/* Once more from the same process. */
		o = replay(&f, &t);
		assert_int_equal(o.code, SL_EXIT_EXPECTED);
		trace_free(&t);
		files_remove(&f);
	}
}

static void test_another_build(void **state)
{
	struct files f;
	struct trace t;
	struct outcome o;

	(void)state;
	explore(&f, killed, false, 0, &t);
	t.build_id[3] ^= 0x40;
	o = replay(&f, &t);
	assert_int_equal(o.code, SL_EXIT_EXPECTED);
	assert_false(o.same_build);
	t.step[0].hash++;
	diverges(&f, &t, 1, "memory with hash", "other contents");
	trace_free(&t);
	files_remove(&f);
}

static void test_altered_steps(void **state)
{
	struct trace_step *s;
	struct files f;
	struct trace t;
	u32 last;

	(void)state;
	explore(&f, killed, false, 0, &t);
	last = t.steps - 1;
	s = t.step;
	assert_true(t.steps > 4);

	s[2].hash ^= 1;
	diverges(&f, &t, 3, "memory with hash", "other contents");
	s[2].hash ^= 1;

	assert_int_equal(s[1].kind, XP_ATOMIC);
	s[1].op = s[1].op == XP_XCHG ? XP_OR : XP_XCHG;
	diverges(&f, &t, 2, "xchg 8 bytes at S-EPT entry a level 0", "about to load 8 bytes at");
	s[1].op = XP_LOAD;
	s[1].at += 8;
	diverges(&f, &t, 2, "about to load", "about to load");
	s[1].at -= 8;
	s[1].choice = 1;
	diverges(&f, &t, 2, "answer 1 to a choice", "1 answers");
	s[1].choice = 0;
	s[1].fiber = 1;
	diverges(&f, &t, 2, "load", "start");
	s[1].fiber = 0;
	/* What ends the world cannot move yet. */
	s[0].fiber = 2;
	diverges(&f, &t, 1, "start", "unable to move");
	s[0].fiber = 0;

	t.steps--;
	t.loop_start--;
	diverges(&f, &t, last, "violated(td-killed)", "no violation");
	t.steps++;
	t.loop_start++;
	snprintf(t.id, sizeof(t.id), "somebody else");
	diverges(&f, &t, t.steps, "somebody else", "guest: vcpu");
	snprintf(t.id, sizeof(t.id), "guest");

	t.step = realloc(t.step, (t.steps + 1) * sizeof(*t.step));
	assert_non_null(t.step);
	t.step[t.steps] = t.step[0];
	t.steps++;
	diverges(&f, &t, t.steps - 1, "1 more steps", "a violation already");
	t.steps--;
	assert_int_equal(replay(&f, &t).code, SL_EXIT_EXPECTED);
	trace_free(&t);
	files_remove(&f);
}

static void test_another_world(void **state)
{
	struct files f;
	struct trace t;
	char *edit;

	(void)state;
	explore(&f, killed, false, 0, &t);
	t.arena_size += 64;
	diverges(&f, &t, 1, "bytes", "bytes");
	t.arena_size -= 64;
	t.fibers++;
	diverges(&f, &t, 1, "a world of 3 lanes", "2 lanes");
	t.fibers--;
	/* As if the guests did something else. */
	edit = strstr(t.scenario, "vcpu1: [accept a]");
	assert_non_null(edit);
	memcpy(edit, "vcpu1: [halt    ]", 17);
	assert_int_equal(replay(&f, &t).code, SL_EXIT_DIVERGED);
	trace_free(&t);
	files_remove(&f);
}

static void test_bad_scenario_inside(void **state)
{
	struct sl_replay_options o = { 0 };
	struct sl_replay *r;
	struct files f;
	struct trace t;
	struct sl_err e;
	char err[600];

	(void)state;
	explore(&f, killed, false, 0, &t);
	t.scenario[0] = 'T';
	assert_int_equal(trace_write_file(f.trace, &t, &e), 0);
	o.path = f.trace;
	assert_int_equal(sl_replay_trace(&o, &r, err, sizeof(err)), -EINVAL);
	assert_non_null(strstr(err, "s.trace: in its scenario: "));
	assert_non_null(strstr(err, "s.yaml:1:1: found"));
	trace_free(&t);
	files_remove(&f);
}

static void test_livelock(void **state)
{
	struct files f;
	struct trace t;

	(void)state;
	explore(&f, starved, false, 0, &t);
	assert_string_equal(t.kind, "livelock");
	assert_true(t.loop_start < t.steps);
	assert_int_equal(replay(&f, &t).code, SL_EXIT_EXPECTED);
	t.loop_start++;
	diverges(&f, &t, t.steps, "the state of step", "another state");
	trace_free(&t);
	files_remove(&f);
}

static void test_nothing_to_save(void **state)
{
	struct sl_check_options o = { 0 };
	struct sl_check *check;
	struct files f;
	char err[600];

	(void)state;
	files_make(&f, "title: t\ntd: {vcpus: 1, memory: {a: {}}}\nrun: {vcpu0: [other-call]}\n");
	o.path = f.scenario;
	assert_int_equal(sl_check_scenario(&o, &check, err, sizeof(err)), 0);
	assert_int_equal(sl_check_save(check, f.trace, err, sizeof(err)), 0);
	assert_int_equal(access(f.trace, F_OK), -1);
	sl_check_free(check);
	files_remove(&f);
}

struct stepping {
	u32 steps, stop_after;
};

static bool on_step(void *ctx, const struct sl_replay_step *s)
{
	struct stepping *c = ctx;

	c->steps++;
	assert_int_equal(s->step, c->steps);
	assert_non_null(strchr(s->lines, '\n'));
	return c->steps != c->stop_after;
}

static void test_step_by_step(void **state)
{
	struct sl_replay_options o = { .step = on_step };
	struct stepping all = { 0 }, some = { .stop_after = 2 };
	struct sl_replay *r;
	struct files f;
	struct trace t;
	char err[600], *text;

	(void)state;
	explore(&f, killed, false, 0, &t);
	o.path = f.trace;
	o.ctx = &all;
	assert_int_equal(sl_replay_trace(&o, &r, err, sizeof(err)), 0);
	assert_int_equal(all.steps, t.steps);
	assert_int_equal(sl_replay_exit(r), SL_EXIT_EXPECTED);
	sl_replay_free(r);
	o.ctx = &some;
	assert_int_equal(sl_replay_trace(&o, &r, err, sizeof(err)), 0);
	assert_int_equal(some.steps, 2);
	assert_int_equal(sl_replay_exit(r), SL_EXIT_INCONCLUSIVE);
	text = sl_replay_report(r, SL_FORMAT_TEXT);
	assert_non_null(strstr(text, "stopped after step 2"));
	free(text);
	sl_replay_free(r);
	trace_free(&t);
	files_remove(&f);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_round_trip),    cmocka_unit_test(test_control_characters),
		cmocka_unit_test(test_damage),        cmocka_unit_test(test_impossible),
		cmocka_unit_test(test_limits),        cmocka_unit_test(test_many_steps),
		cmocka_unit_test(test_files),         cmocka_unit_test(test_build_id),
		cmocka_unit_test(test_again),         cmocka_unit_test(test_another_build),
		cmocka_unit_test(test_stores),        cmocka_unit_test(test_altered_steps),
		cmocka_unit_test(test_another_world), cmocka_unit_test(test_bad_scenario_inside),
		cmocka_unit_test(test_livelock),      cmocka_unit_test(test_nothing_to_save),
		cmocka_unit_test(test_step_by_step),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
