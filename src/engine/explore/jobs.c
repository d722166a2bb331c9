// SPDX-License-Identifier: MIT
/* Processes, inboxes, and standing still. Layer: engine. */
#include "engine/explore/jobs.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/bug.h"
#include "engine/clock.h"
#include "engine/explore/region.h"

/* An inbox. Only its owner leaves BUSY and FED, only somebody else HUNGRY and FILLING. */
enum {
	BUSY,
	HUNGRY,
	FILLING,
	FED,
};

/* Edges of one job lie together, this many at a time. */
#define EDGES (1ull << 20)
/* Seconds between two looks of one that waits. */
#define NAP 50e-6

struct jobs *jobs_new(u32 count, size_t tally_size)
{
	struct jobs *j = calloc(1, sizeof(*j));
	bool good;

	SL_BUG_ON(count > XS_JOBS_MAX);
	if (!j)
		return NULL;
	*j = (struct jobs){ .count = count, .tally_size = tally_size };
	j->shared = region_map_shared(sizeof(*j->shared));
	j->tally = tally_size ? region_map_shared(count * tally_size) : NULL;
	good = j->shared && (j->tally || !tally_size);
	for (u32 i = 0; i < count; i++) {
		j->inbox[i] = region_map_shared(JOBS_INBOX);
		j->known[i] = region_map_shared(JOBS_KNOWN * sizeof(struct known));
		j->step[i] = region_map_shared(JOBS_STEPS);
		good = good && j->inbox[i] && j->known[i] && j->step[i];
	}
	if (good)
		return j;
	jobs_free(j);
	return NULL;
}

void jobs_free(struct jobs *j)
{
	if (!j)
		return;
	jobs_kill(j);
	for (u32 i = 0; i < j->count; i++) {
		region_unmap(j->inbox[i], JOBS_INBOX);
		region_unmap(j->known[i], JOBS_KNOWN * sizeof(struct known));
		region_unmap(j->step[i], JOBS_STEPS);
	}
	region_unmap(j->tally, j->count * j->tally_size);
	region_unmap(j->shared, sizeof(*j->shared));
	free(j);
}

/* ---- processes ------------------------------------------------------------------------------- */

static void run(struct jobs *j, u32 me, pid_t parent, void (*work)(void *ctx), void *ctx)
{
	/* Whoever interrupts the search tells the process that forked this one, which tells us. */
	signal(SIGINT, SIG_IGN);
	signal(SIGTERM, SIG_IGN);
	if (prctl(PR_SET_PDEATHSIG, SIGKILL) || getppid() != parent)
		_exit(EXIT_FAILURE);
	j->me = me;
	work(ctx);
	_exit(EXIT_SUCCESS);
}

int jobs_start(struct jobs *j, void (*work)(void *ctx), void *ctx)
{
	pid_t parent = getpid();

	atomic_store(&j->shared->busy, j->count);
	for (u32 i = 0; i < j->count; i++) {
		j->pid[i] = fork();
		if (!j->pid[i])
			run(j, i, parent, work, ctx);
		if (j->pid[i] < 0) {
			int rc = -errno;

			j->pid[i] = 0;
			jobs_kill(j);
			return rc;
		}
	}
	return 0;
}

int jobs_look(struct jobs *j, char *text, size_t size)
{
	int left = 0;

	for (u32 i = 0; i < j->count; i++) {
		int status;

		if (!j->pid[i])
			continue;
		if (waitpid(j->pid[i], &status, WNOHANG) != j->pid[i]) {
			left++;
			continue;
		}
		j->pid[i] = 0;
		if (WIFEXITED(status) && !WEXITSTATUS(status))
			continue;
		if (WIFSIGNALED(status))
			snprintf(text, size, "job %u of the search was ended by signal %d (%s)",
				 i + 1, WTERMSIG(status), strsignal(WTERMSIG(status)));
		else
			snprintf(text, size, "job %u of the search has ended with status %d", i + 1,
				 WEXITSTATUS(status));
		return -ECHILD;
	}
	return left;
}

void jobs_kill(struct jobs *j)
{
	for (u32 i = 0; i < j->count; i++)
		if (j->pid[i])
			kill(j->pid[i], SIGKILL);
	for (u32 i = 0; i < j->count; i++) {
		while (j->pid[i] && waitpid(j->pid[i], NULL, 0) < 0 && errno == EINTR)
			;
		j->pid[i] = 0;
	}
}

void jobs_stop(struct jobs *j)
{
	atomic_fetch_or(&j->shared->calls, JOBS_STOP);
}

u64 jobs_states(const struct jobs *j)
{
	u64 n = 0;

	for (u32 i = 0; i < j->count; i++)
		n += atomic_load_explicit(&j->shared->job[i].states, memory_order_relaxed);
	return n;
}

u64 jobs_own_memory(const struct jobs *j)
{
	u64 n = 0;

	for (u32 i = 0; i < j->count; i++)
		n += atomic_load_explicit(&j->shared->job[i].own_memory, memory_order_relaxed);
	return n;
}

u64 jobs_transitions(const struct jobs *j)
{
	u64 n = 0;

	for (u32 i = 0; i < j->count; i++)
		n += atomic_load_explicit(&j->shared->job[i].transitions, memory_order_relaxed);
	return n;
}

/* ---- inboxes --------------------------------------------------------------------------------- */

bool jobs_wait(struct jobs *j, bool *paused)
{
	struct jobs_shared *s = j->shared;
	_Atomic u32 *inbox = &s->job[j->me].inbox;

	*paused = false;
	if (atomic_load(inbox) == BUSY) {
		/* Whoever is the last one with something to do has given nothing away. */
		if (atomic_fetch_sub(&s->busy, 1) == 1) {
			jobs_stop(j);
			return false;
		}
		atomic_fetch_add(&s->calls, 1);
		atomic_store(inbox, HUNGRY);
	}
	for (;;) {
		u32 calls;

		if (atomic_load(inbox) == FED) {
			atomic_store(inbox, BUSY);
			return true;
		}
		calls = jobs_call(j);
		if (calls & JOBS_STOP)
			return false;
		if (calls & JOBS_PAUSE) {
			*paused = true;
			return false;
		}
		clock_nap(NAP);
	}
}

int jobs_claim(struct jobs *j)
{
	for (u32 i = 0; i < j->count; i++) {
		u32 hungry = HUNGRY;

		if (i != j->me &&
		    atomic_compare_exchange_strong(&j->shared->job[i].inbox, &hungry, FILLING)) {
			atomic_fetch_sub(&j->shared->calls, 1);
			return (int)i;
		}
	}
	return -1;
}

void jobs_feed(struct jobs *j, u32 who)
{
	atomic_fetch_add(&j->shared->busy, 1);
	atomic_store(&j->shared->job[who].inbox, FED);
}

bool jobs_is_fed(const struct jobs *j, u32 who)
{
	return atomic_load(&j->shared->job[who].inbox) == FED;
}

bool jobs_is_busy(const struct jobs *j, u32 who)
{
	return atomic_load(&j->shared->job[who].inbox) == BUSY;
}

/* ---- standing still -------------------------------------------------------------------------- */

void jobs_ask(struct jobs *j, enum jobs_pause why)
{
	u32 go = JOBS_GO;

	/* Who comes second comes again, if what the first one wanted was not it. */
	if (atomic_compare_exchange_strong(&j->shared->why, &go, why))
		atomic_fetch_or(&j->shared->calls, JOBS_PAUSE);
}

bool jobs_stand(struct jobs *j)
{
	struct jobs_shared *s = j->shared;
	u32 pauses = atomic_load(&s->pauses);

	if (atomic_fetch_add(&s->paused, 1) + 1 == j->count && jobs_why(j) != JOBS_SAVE)
		return true;
	while (atomic_load(&s->pauses) == pauses && !(jobs_call(j) & JOBS_STOP))
		clock_nap(NAP);
	return false;
}

bool jobs_all_stand(const struct jobs *j)
{
	return jobs_why(j) == JOBS_SAVE && atomic_load(&j->shared->paused) == j->count;
}

void jobs_resume(struct jobs *j)
{
	struct jobs_shared *s = j->shared;

	atomic_store(&s->paused, 0);
	/* In this order: who asks next, as soon as he may, is heard. */
	atomic_fetch_and(&s->calls, ~JOBS_PAUSE);
	atomic_store(&s->why, JOBS_GO);
	atomic_fetch_add(&s->pauses, 1);
}

/* ---- the graph ------------------------------------------------------------------------------- */

void jobs_go_on(struct jobs *j, u64 states, u64 edges)
{
	atomic_store(&j->shared->next_state, states);
	atomic_store(&j->shared->next_edge, (edges + EDGES - 1) / EDGES * EDGES);
}

u64 jobs_edges(struct jobs *j, u64 at, u64 count)
{
	u64 in_piece = at % EDGES;

	/* At the end of a piece, or at the very beginning: another one. */
	if (!in_piece || in_piece + count > EDGES)
		at = atomic_fetch_add(&j->shared->next_edge, EDGES);
	return at;
}
