/* SPDX-License-Identifier: MIT */
/*
 * Counterexamples as files. A trace has all that it takes to play a violation again: the scenario's
 * text, the options that steps depend on, the scheduling points, every step, and for each step what
 * it must find and leave behind. docs/trace.md has the format. Layer: engine.
 */
#ifndef SL_ENGINE_TRACE_H
#define SL_ENGINE_TRACE_H

#include "base/err.h"
#include "scenario/scenario.h"

#define TRACE_VERSION 1u
/* Limits of the reader, and so of the writer. */
#define TRACE_FILE_MAX     (64u << 20)
#define TRACE_PAYLOAD_MAX  (256u << 20)
#define TRACE_STEPS_MAX    (1u << 22)
#define TRACE_SHARED_MAX   (1u << 22)
#define TRACE_PATH_MAX     4096u
#define TRACE_BUILD_ID_MAX 64u
/* Bytes of a file in front of the compressed payload. */
#define TRACE_HEADER_SIZE 32u

#define TRACE_NOWHERE (~0ull)

struct trace_step {
	u8 fiber;
	u16 choice;
	/* What the fiber is about to do: enum xp_kind, enum xp_atomic, bytes, arena offset. */
	u8 kind, op, size;
	u64 at;   /* or TRACE_NOWHERE */
	u64 hash; /* of what changed in the arena since the start, after the step */
};

struct trace {
	char version[32]; /* of the program that wrote it */
	u8 build_id[TRACE_BUILD_ID_MAX];
	u32 build_id_size;
	char *scenario_path; /* as given to check */
	char *scenario;      /* its text, not terminated */
	u32 scenario_size;
	char kind[24], id[40], text[320]; /* of the violation */
	u64 hash_seed;
	bool no_reduction, certain, minimal;
	u32 store_buffer; /* of each lane; 0: memory is sequentially consistent */
	u64 arena_size;
	u32 fibers;
	u32 preemptions, loop_start;
	u32 steps, shared_count;
	struct trace_step *step;
	u64 *shared; /* arena offsets of half-words that are scheduling points, ascending */
};

/*
 * 0, or -EINVAL with err->text = "@name: found ...; expected ..." for anything that is no trace of
 * this version, -ENOMEM. Free with trace_free().
 */
int trace_parse(const char *name, const u8 *data, size_t size, struct trace *t, struct sl_err *err);
int trace_read_file(const char *path, struct trace *t, struct sl_err *err);
void trace_free(struct trace *t);

/* The bytes of a file; the caller frees them. -E2BIG: a limit; -EINVAL: no trace would have it. */
int trace_build(const struct trace *t, u8 **data, size_t *size, struct sl_err *err);
int trace_write_file(const char *path, const struct trace *t, struct sl_err *err);

/* Identity of the running program; its size, 0 if it has none. */
u32 trace_build_id(u8 id[TRACE_BUILD_ID_MAX]);

#endif
