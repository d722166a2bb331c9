/* SPDX-License-Identifier: MIT */
/*
 * Several processes at one search: who they are, and the memory that they have in common.
 *
 * The search forks them while the world stands at its start, so that all have it at equal addresses,
 * and each its own copy. They share the table of visited states, the graph if there is one, and what
 * is here: counters, and an inbox for each. Whoever has nothing to do says so; whoever has something
 * looks now and then whether anybody does, and puts a part of it into his inbox. When nobody has
 * anything any more the pass is over.
 *
 * Nothing here waits for ever: who waits looks whether all are to stop, and the process that forked
 * them tells them so when one of them dies. Layer: engine.
 */
#ifndef SL_ENGINE_JOBS_H
#define SL_ENGINE_JOBS_H

#include <stdatomic.h>
#include <stddef.h>
#include <sys/types.h>

#include "engine/explore/knowledge.h"
#include "engine/explore/search.h"

/* States that a job enters between two looks at what the others want. */
#define JOBS_LOOK 256u

/* Why they stand still. */
enum jobs_pause {
	JOBS_GO,
	JOBS_GROW, /* the table of visited states is crowded */
	JOBS_SAVE, /* the search is to be saved, by the process that waits for the jobs */
};

/* What a job leaves behind. */
struct job_end {
	struct knowledge knowledge;
	u32 depth;
	u32 limit; /* enum xs_limit that it has come to */
	bool buffer_full;
	u32 next_saved; /* of the paths that were saved before it has this one left, and every so many */
	/* The first finding of its own, if its kind is not XS_KIND_NONE. */
	u32 kind;
	char id[40], text[320];
	u32 steps, preemptions;
};

/* One process. What it writes often is on a line of its own. */
struct job {
	_Alignas(128) _Atomic u64 states;
	_Atomic u64 transitions;
	_Atomic u64 own_memory; /* bytes that it has for itself alone */
	_Atomic u32 depth;
	_Atomic bool learned;
	_Alignas(128) _Atomic u32 inbox; /* enum in jobs.c */
	struct job_end end;
};

struct jobs_shared {
	_Alignas(128) _Atomic u32 calls; /* somebody wants something: see jobs_call() */
	_Alignas(128) _Atomic u32 busy;  /* jobs that have something to do */
	_Atomic u64 next_state;          /* number of */
	_Atomic u64 next_edge;
	/* A pause: how many have come to it, and how many there have been. */
	_Atomic u32 paused, pauses;
	_Atomic u32 why;
	struct job job[XS_JOBS_MAX];
};

/* Which processes; in each of them @me is another. */
struct jobs {
	struct jobs_shared *shared;
	u32 count;
	u32 me;
	u64 look_at; /* own states at which it looks around, if nobody calls */
	u32 refused; /* looks until it tries again to give something away */
	u8 *inbox[XS_JOBS_MAX];
	struct known *known[XS_JOBS_MAX]; /* lists that they leave behind */
	void *step[XS_JOBS_MAX];          /* and the way to what they have found */
	u8 *tally;                        /* and @tally_size bytes for each, for the program */
	size_t tally_size;
	pid_t pid[XS_JOBS_MAX]; /* 0: ended */
};

/* Bytes in an inbox, granules in a list, bytes of a way. */
#define JOBS_INBOX (2ull << 30)
#define JOBS_KNOWN (1ull << 26)
#define JOBS_STEPS (1ull << 26)

/* NULL without memory. */
struct jobs *jobs_new(u32 count, size_t tally_size) SL_WARN_UNUSED;
void jobs_free(struct jobs *j);

/*
 * Forks them; @work(@ctx) runs in each, with @me set, and its return ends the process. 0, or a negative
 * errno and no process.
 */
int jobs_start(struct jobs *j, void (*work)(void *ctx), void *ctx);
/*
 * Those that have ended are waited for. The number of jobs that still run, or -ECHILD if one has not
 * ended as it should: then @text says how.
 */
int jobs_look(struct jobs *j, char *text, size_t size);
/* Makes sure that there is no process left. */
void jobs_kill(struct jobs *j);

/* Tells all to end what they are at. */
void jobs_stop(struct jobs *j);

/* ---- in a job ---- */

#define JOBS_STOP  0x80000000u
#define JOBS_PAUSE 0x40000000u

/* Bits for stop and pause, and the number of jobs with nothing to do. */
static inline u32 jobs_call(const struct jobs *j)
{
	return atomic_load_explicit(&j->shared->calls, memory_order_relaxed);
}

u64 jobs_states(const struct jobs *j);
u64 jobs_own_memory(const struct jobs *j);
u64 jobs_transitions(const struct jobs *j);

/*
 * With nothing to do: until there is something in the own inbox. False: it is all over. *paused is set,
 * and it returns early, if all have to stand still.
 */
bool jobs_wait(struct jobs *j, bool *paused);
/* A job with nothing to do, whose inbox is the caller's to fill; -1 if there is none. */
int jobs_claim(struct jobs *j);
void jobs_feed(struct jobs *j, u32 who);
/* While all stand still: does its inbox hold what it has to do next? Of one that is at something it is its own. */
bool jobs_is_fed(const struct jobs *j, u32 who);
bool jobs_is_busy(const struct jobs *j, u32 who);

/* Asks all to stand still. */
void jobs_ask(struct jobs *j, enum jobs_pause why);
static inline enum jobs_pause jobs_why(const struct jobs *j)
{
	return (enum jobs_pause)atomic_load(&j->shared->why);
}
/*
 * Stands still until all do. True in one of them: it does what is to be done, and then calls
 * jobs_resume(). False in the others, afterwards, or if all are to stop; and in all with JOBS_SAVE.
 */
bool jobs_stand(struct jobs *j);
/* Do all stand still, to be saved? The process that waits for them then calls jobs_resume(), or jobs_stop(). */
bool jobs_all_stand(const struct jobs *j);
void jobs_resume(struct jobs *j);

/* Before they start: so many states are numbered, and so many edges are there. */
void jobs_go_on(struct jobs *j, u64 states, u64 edges);

/* First of @count edges in a row; @at is where the caller has put the last ones. */
u64 jobs_edges(struct jobs *j, u64 at, u64 count);

#endif
