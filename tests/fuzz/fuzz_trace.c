// SPDX-License-Identifier: MIT
/*
 * Fuzzing of the trace reader. With libFuzzer (SL_LIBFUZZER defined) any bytes; without it a seeded
 * run over a built-in trace: fuzz_trace [--seed S] [--runs N] [--first I]. Half of the inputs get
 * their lengths and checksum mended, so that what lies behind the checksum is reached.
 * A failure prints one line that reproduces it.
 */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <xxhash.h>
#include <zstd.h>

#include "base/rng.h"
#include "engine/explore/trace.h"
#include "engine/explore/xp.h"

#define NAME        "fuzz.trace"
#define PAYLOAD_MAX 4096

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void require(bool good, const char *what)
{
	if (good)
		return;
	fprintf(stderr, "fuzz_trace: not so: %s\n", what);
	abort();
}

#define REQUIRE(cond) require(cond, #cond)

static bool is_line(const char *text, size_t room)
{
	size_t n = strnlen(text, room);

	for (size_t i = 0; i < n; i++)
		if ((u8)text[i] < 0x20 || text[i] == 0x7f)
			return false;
	return n < room;
}

/* What the replay relies on. */
static void check_trace(const struct trace *t)
{
	REQUIRE(is_line(t->version, sizeof(t->version)));
	REQUIRE(is_line(t->kind, sizeof(t->kind)));
	REQUIRE(is_line(t->id, sizeof(t->id)));
	REQUIRE(is_line(t->text, sizeof(t->text)));
	REQUIRE(is_line(t->scenario_path, TRACE_PATH_MAX + 1));
	REQUIRE(t->build_id_size <= TRACE_BUILD_ID_MAX);
	REQUIRE(t->scenario && t->scenario_size <= SCN_FILE_MAX);
	REQUIRE(t->fibers >= 1 && t->fibers <= XP_FIBERS_MAX);
	REQUIRE(t->steps >= 1 && t->steps <= TRACE_STEPS_MAX);
	REQUIRE(t->loop_start <= t->steps);
	REQUIRE(t->shared_count <= TRACE_SHARED_MAX);
	for (u32 i = 0; i < t->shared_count; i++) {
		REQUIRE(t->shared[i] < t->arena_size && t->shared[i] % 2 == 0);
		REQUIRE(!i || t->shared[i] > t->shared[i - 1]);
	}
	for (u32 i = 0; i < t->steps; i++) {
		const struct trace_step *s = &t->step[i];

		REQUIRE(s->fiber < t->fibers && s->kind <= XP_WAIT && s->op <= XP_CAS);
		REQUIRE(s->size <= 16 && (s->at == TRACE_NOWHERE || s->at < t->arena_size));
	}
}

static void check_error(const char *text)
{
	REQUIRE(strlen(text) < sizeof(((struct sl_err *)NULL)->text) - 1);
	REQUIRE(strncmp(text, NAME ": found ", strlen(NAME ": found ")) == 0);
	REQUIRE(strstr(text, "; expected "));
}

static void check_file(const u8 *data, size_t size)
{
	struct trace t, again;
	struct sl_err err;
	u8 *bytes;
	size_t length;
	int rc = trace_parse(NAME, data, size, &t, &err);

	if (rc) {
		REQUIRE(rc == -EINVAL);
		REQUIRE(!t.step && !t.shared && !t.scenario && !t.scenario_path);
		check_error(err.text);
		return;
	}
	check_trace(&t);
	/* What was read can be written and is the same again. */
	REQUIRE(!trace_build(&t, &bytes, &length, &err));
	REQUIRE(!trace_parse(NAME, bytes, length, &again, &err));
	REQUIRE(again.steps == t.steps && again.shared_count == t.shared_count);
	REQUIRE(again.scenario_size == t.scenario_size);
	REQUIRE(!memcmp(again.scenario, t.scenario, t.scenario_size));
	free(bytes);
	trace_free(&again);
	trace_free(&t);
}

static void put_u64(u8 *p, u64 v)
{
	for (u32 i = 0; i < 8; i++)
		p[i] = (u8)(v >> (8 * i));
}

/* Behind the header in @file the payload, compressed, and a header that fits. The file's size. */
static size_t wrap(u8 *file, size_t room, const u8 *payload, size_t size)
{
	static const u8 head[16] = "SLTRACE\n\1";
	size_t n;

	memcpy(file, head, sizeof(head));
	put_u64(file + 16, size);
	put_u64(file + 24, XXH64(payload, size, 0));
	n = ZSTD_compress(file + TRACE_HEADER_SIZE, room - TRACE_HEADER_SIZE, payload, size, 1);
	if (ZSTD_isError(n))
		abort();
	return n + TRACE_HEADER_SIZE;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	check_file(data, size);
#ifdef SL_LIBFUZZER
	/* As contents, too: no mutation of the bytes of a file gets through its checksum. */
	{
		size_t room = TRACE_HEADER_SIZE + ZSTD_compressBound(size);
		u8 *file = malloc(room);

		if (!file)
			abort();
		check_file(file, wrap(file, room, data, size));
		free(file);
	}
#endif
	return 0;
}

#ifndef SL_LIBFUZZER

static struct {
	u64 seed;
	u64 index;
} now;

static void report(void)
{
	char line[128];
	int n = snprintf(line, sizeof(line),
			 "fuzz_trace: failed; to reproduce: fuzz_trace --seed %llu --first %llu "
			 "--runs 1\n",
			 (unsigned long long)now.seed, (unsigned long long)now.index);

	if (n > 0 && write(STDERR_FILENO, line, (size_t)n) < 0)
		return;
}

static void on_signal(int sig)
{
	report();
	signal(sig, SIG_DFL);
	raise(sig);
}

/* In the sanitizers' run-time library, if there is one: they may end without a signal. */
extern void __sanitizer_set_death_callback(void (*callback)(void)) __attribute__((weak));

static u8 *good_trace(struct sl_rng *rng, size_t *size)
{
	static char path[] = "a.yaml", text[] = "title: least\ntd: {vcpus: 1}\nrun: {}\n";
	struct trace_step step[20];
	u64 shared[20];
	struct trace t = { .version = "0.1.0",
			   .build_id_size = 20,
			   .scenario_path = path,
			   .scenario = text,
			   .scenario_size = sizeof(text) - 1,
			   .kind = "livelock",
			   .id = "all-finish",
			   .text = "a text",
			   .arena_size = 4096,
			   .fibers = 3,
			   .loop_start = 1,
			   .steps = 1 + sl_rng_below(rng, ARRAY_SIZE(step)),
			   .shared_count = sl_rng_below(rng, ARRAY_SIZE(shared) + 1),
			   .step = step,
			   .shared = shared };
	struct sl_err err;
	u8 *data;

	for (u32 i = 0; i < t.steps; i++)
		step[i] = (struct trace_step){ .fiber = (u8)sl_rng_below(rng, 3),
					       .kind = XP_ATOMIC,
					       .op = XP_CAS,
					       .size = 8,
					       .at = sl_rng_below(rng, 4096) };
	for (u32 i = 0; i < t.shared_count; i++)
		shared[i] = i * 2ull;
	if (trace_build(&t, &data, size, &err))
		abort();
	return data;
}

static size_t mutate(struct sl_rng *rng, u8 *buf, size_t size, size_t room)
{
	size_t at = sl_rng_below(rng, (u32)size + 1), n = 1 + sl_rng_below(rng, 8);

	switch (sl_rng_below(rng, 6)) {
	case 0:
		if (n > size - at)
			n = size - at;
		memmove(buf + at, buf + at + n, size - at - n);
		return size - n;
	case 1:
		if (size + n > room)
			return size;
		memmove(buf + at + n, buf + at, size - at);
		for (size_t i = 0; i < n; i++)
			buf[at + i] = (u8)sl_rng_below(rng, 256);
		return size + n;
	case 2:
		return at;
	case 3:
		if (at < size)
			buf[at] = (u8)(sl_rng_below(rng, 2) ? 0xFF : 0);
		return size;
	default:
		if (at < size)
			buf[at] ^= (u8)(1u << sl_rng_below(rng, 8));
		return size;
	}
}

/* Changes the payload itself and gives it a header that fits. */
static size_t mutate_inside(struct sl_rng *rng, u8 *file, size_t size, size_t room, u32 times)
{
	static u8 payload[PAYLOAD_MAX];
	size_t n = ZSTD_decompress(payload, sizeof(payload), file + TRACE_HEADER_SIZE,
				   size - TRACE_HEADER_SIZE);

	if (ZSTD_isError(n))
		abort();
	for (u32 i = 0; i < times; i++)
		n = mutate(rng, payload, n, sizeof(payload));
	return wrap(file, room, payload, n);
}

static void run_one(u64 seed, u64 index)
{
	struct sl_rng rng = { .state = seed ^ (index + 1) * 0xD1B54A32D192ED03ull };
	static u8 buf[2 * PAYLOAD_MAX];
	u32 times = sl_rng_below(&rng, sl_rng_below(&rng, 3) ? 4 : 32);
	size_t size;
	u8 *data = good_trace(&rng, &size), *exact;

	if (size > sizeof(buf))
		abort();
	memcpy(buf, data, size);
	free(data);
	if (sl_rng_below(&rng, 2))
		size = mutate_inside(&rng, buf, size, sizeof(buf), times);
	else
		for (u32 i = 0; i < times; i++)
			size = mutate(&rng, buf, size, sizeof(buf));
	/* A copy of just this size, so that a sanitizer sees a read behind it. */
	exact = malloc(size ? size : 1);
	if (!exact)
		abort();
	memcpy(exact, buf, size);
	LLVMFuzzerTestOneInput(exact, size);
	free(exact);
}

int main(int argc, char **argv)
{
	u64 runs = 20000, first = 0;

	for (int i = 1; i < argc; i += 2) {
		u64 *to = strcmp(argv[i], "--seed") == 0    ? &now.seed
			  : strcmp(argv[i], "--runs") == 0  ? &runs
			  : strcmp(argv[i], "--first") == 0 ? &first
							    : NULL;
		char *end = NULL;

		if (to && i + 1 < argc)
			*to = strtoull(argv[i + 1], &end, 0);
		if (!end || *end || end == argv[i + 1]) {
			fprintf(stderr, "usage: fuzz_trace [--seed S] [--runs N] [--first I]\n");
			return 2;
		}
	}
	signal(SIGABRT, on_signal);
	signal(SIGALRM, on_signal);
	if (__sanitizer_set_death_callback) {
		__sanitizer_set_death_callback(report);
	} else {
		signal(SIGSEGV, on_signal);
		signal(SIGBUS, on_signal);
		signal(SIGFPE, on_signal);
	}
	for (now.index = first; now.index < first + runs; now.index++) {
		alarm(20);
		run_one(now.seed, now.index);
	}
	return 0;
}

#endif
