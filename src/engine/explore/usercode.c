// SPDX-License-Identifier: MIT
/*
 * The main() of a user's program under the explorer, and what include/seamlab/explore.h declares.
 * Not instrumented; runs on fibers where it is called from there. Layer: engine.
 *
 * The arena is the section sl_shared, into which seamlab-cc has put the writable data of the user's
 * files, and the machines that they have made. User code knows no checkpoints, so a thread, or a guest,
 * is known by more than what it has seen: two histories that leave the same bytes on its stack are one.
 */
#include <seamlab/explore.h>
#include <seamlab/number.h>

#include "engine/explore/usercode.h"

#include <argp.h>
#include <errno.h>
#include <inttypes.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/time.h>
#include <ucontext.h>
#include <unistd.h>

#include "base/bug.h"
#include "base/env.h"
#include "engine/explore/guests.h"
#include "engine/explore/store_buffer.h"
#include "engine/explore/symbols.h"
#include "engine/explore/xplain.h"

enum {
	EXIT_HOLDS = 0,
	EXIT_VIOLATED = 1,
	EXIT_USAGE = 2,
	EXIT_LIMIT = 3,
};

#define PAGE 4096
/* Seconds between two looks at whether the running step has come to an end. */
#define WATCHDOG 10
/* Stores that wait, if nobody says how many can. */
#define STORE_BUFFER 8u

/* The last piece of the section but for a module's room: what else comes behind it is not ours. */
extern u8 __start_sl_shared[];
static __attribute__((used, section("sl_shared"), aligned(PAGE))) u8 shared_end[PAGE];
/* Weak: a program without any entry is told so. */
extern const struct sl_entry *const __start_sl_entries[] __attribute__((weak));
extern const struct sl_entry *const __stop_sl_entries[] __attribute__((weak));

static struct {
	const char *name; /* of the program */
	struct xs_options search;
	bool all_finish, json, tso;
	/* From the descriptors. */
	const struct sl_entry *entry[XP_LANES_MAX];
	u32 me[XP_LANES_MAX];
	char thread_name[XP_FIBERS_MAX][40];
	u32 threads;
	bool setting_up;
	const u8 *machines; /* their memory; NULL: there are none */
	size_t machines_size;
	volatile sig_atomic_t interrupted;
} run;

const char *user_thread_name(u32 i)
{
	return i < run.threads ? run.thread_name[i] : "the end";
}

static size_t entries(void)
{
	return __start_sl_entries ? (size_t)(__stop_sl_entries - __start_sl_entries) : 0;
}

__attribute__((noreturn, format(printf, 1, 2))) void user_fail(const char *fmt, ...)
{
	va_list args;

	fprintf(stderr, "%s: ", run.name);
	va_start(args, fmt);
	vfprintf(stderr, fmt, args);
	va_end(args);
	fputc('\n', stderr);
	exit(EXIT_USAGE);
}

bool user_is_of_module(const void *addr)
{
	return run.machines && (const u8 *)addr >= run.machines &&
	       (const u8 *)addr < run.machines + run.machines_size;
}

bool user_is_setting_up(void)
{
	return run.setting_up;
}

/* ---- what the user's code calls -------------------------------------------------------------- */

static void pend(enum xp_kind kind, void *addr, void *pc)
{
	xp.fiber[xp.cur].pending = (struct xp_pending){ .kind = (u8)kind, .addr = addr, .pc = pc };
}

void sl_assert_failed(const char *cond, const char *file, unsigned int line)
{
	char text[300];

	snprintf(text, sizeof(text), "%s:%u: %s", file, line, cond);
	xp_report(USER_ASSERT, "assertion", text);
	/* Only an invariant and set-up come back from there. */
	if (run.setting_up)
		user_fail("SL_SETUP: %s", text);
	user_fail("an invariant uses sl_assert(): %s", text);
}

/* seamlab-cc makes calls of __assert_fail() and abort() these. */
__attribute__((noreturn)) void sl_hook_assert_fail(const char *cond, const char *file,
						   unsigned int line, const char *func);
void sl_hook_assert_fail(const char *cond, const char *file, unsigned int line, const char *func)
{
	(void)func;
	sl_assert_failed(cond, file, line);
}

__attribute__((noreturn)) void sl_hook_abort(void);
void sl_hook_abort(void)
{
	xp_report(USER_ASSERT, "assertion", "abort() was called");
	if (run.setting_up)
		user_fail("SL_SETUP: abort() was called");
	abort();
}

/* Not in the caller's frame, where a digest could stay. */
static __attribute__((noinline)) void saw_choice(void)
{
	xp_saw(xp.choice);
}

uint32_t sl_choose(uint32_t n)
{
	if (n < 2 || !xp.active || xp.no_yield)
		return 0;
	if (n > 0xFFFF)
		xp_report(USER_ASSERT, "assertion", "sl_choose() of more than 65535 answers");
	pend(XP_CHOICE, NULL, __builtin_return_address(0));
	xp.fiber[xp.cur].pending.n = n;
	xp_yield();
	saw_choice();
	return xp.choice;
}

void sl_pause(void)
{
	if (!xp.active || xp.no_yield)
		return;
	pend(XP_PAUSE, NULL, __builtin_return_address(0));
	xp_yield();
}

void sl_wait_while_(const volatile void *word, uint32_t value)
{
	void *at = (void *)(uintptr_t)word;

	if (!xp.active || xp.no_yield)
		return;
	if (!xp_in_arena(at))
		xp_report(USER_ASSERT, "assertion", "sl_wait_while() of a word that is not shared");
	xp_note_read(at);
	pend(XP_WAIT, at, __builtin_return_address(0));
	xp.fiber[xp.cur].pending.arg = value;
	xp_yield();
}

void sl_checkpoint(uint32_t label, uint64_t a, uint64_t b)
{
	if (xp.active && !xp.no_checkpoints)
		xp.fiber[xp.cur].hist = xp_checkpoint(label, a, b);
}

/* ---- who a thread is ------------------------------------------------------------------------- */

/*
 * Stack images and the history that each was first seen with. What a thread does next follows from
 * its stack and registers, which the switch has put there, and the arena. So a loop that spins comes
 * back to where it was, although it has seen one value more.
 */
static struct {
	u64 *key, *hist;
	size_t slots, count;
	bool stale; /* histories of a pass that took for constants what is none */
} images;

static bool images_resize(size_t slots)
{
	u64 *key = calloc(slots, sizeof(*key)), *hist = calloc(slots, sizeof(*hist));

	if (!key || !hist) {
		free(key);
		free(hist);
		return false;
	}
	for (size_t i = 0; i < images.slots; i++) {
		size_t at = images.key[i] & (slots - 1);

		if (!images.key[i])
			continue;
		while (key[at])
			at = (at + 1) & (slots - 1);
		key[at] = images.key[i];
		hist[at] = images.hist[i];
	}
	free(images.key);
	free(images.hist);
	images.key = key;
	images.hist = hist;
	images.slots = slots;
	return true;
}

static void images_clear(void)
{
	memset(images.key, 0, images.slots * sizeof(*images.key));
	images.count = 0;
	images.stale = false;
}

/* Of the stack [sp, top), which is @who's. */
static u64 image_of(u64 who, const void *sp, const void *top)
{
	const u64 *p = sp;
	u64 h = who ^ (u64)(uintptr_t)p;

	for (; p < (const u64 *)top; p++)
		h = xp_mix(h, *p);
	return h ? h : 1;
}

/* *hist becomes that with which the image @key was first seen. */
static void recognise(u64 key, u64 *hist)
{
	size_t at = key & (images.slots - 1);

	while (images.key[at] && images.key[at] != key)
		at = (at + 1) & (images.slots - 1);
	if (images.key[at]) {
		*hist = images.hist[at];
		return;
	}
	images.key[at] = key;
	images.hist[at] = *hist;
	images.count++;
}

/* Who an image belongs to: a lane, or a guest, wherever that is. */
#define WHO_GUEST 0x100u

/* Guests that have left in this step stand by themselves; the lane of one that was entered waits. */
static void recognise_others(u32 i)
{
	struct xp_fiber *f = &xp.fiber[i];

	for (u32 left = xp_guests.moved; left; left &= left - 1) {
		u32 g = (u32)__builtin_ctz(left);
		struct xp_guest_now *now = &xp_guests.guest[g].now;

		if (!now->on)
			recognise(image_of(xp_mix(WHO_GUEST + g, 0), now->sp, xp_guest_top(g)),
				  &now->hist);
	}
	if (f->guest && xp_guests.moved)
		recognise(image_of(xp_mix(i + 1, f->guest), f->outer, xp_stack_top(i)),
			  &f->outer_hist);
}

static void stopped(u32 i)
{
	struct xp_fiber *f = &xp.fiber[i];
	const struct xp_pending *p = &f->pending;
	u64 who = f->guest ? WHO_GUEST + f->guest - 1 : i + 1;

	if (images.stale && !xp.learned)
		images_clear();
	images.stale |= xp.learned;
	if (p->kind == XP_EXIT)
		f->hist = 0;
	if (p->kind == XP_DEAD)
		return;
	/* Room for what one step can bring. */
	if ((images.count + XP_GUESTS_MAX + 2) * 2 > images.slots &&
	    !images_resize(images.slots * 2))
		return;
	recognise_others(i);
	if (p->kind != XP_EXIT)
		recognise(image_of(xp_mix(xp_mix(who, (u64)p->kind << 32 ^ p->n), p->arg), f->sp,
				   xp_context_top(i)),
			  &f->hist);
}

/* ---- what the search calls ------------------------------------------------------------------- */

static void run_thread(u32 i)
{
	run.entry[i]->thread(run.me[i]);
}

static void run_end(void)
{
	for (size_t i = 0; i < entries(); i++) {
		const struct sl_entry *e = __start_sl_entries[i];
		char id[40];

		if (e->kind != SL_ENTRY_FINALLY || e->holds())
			continue;
		snprintf(id, sizeof(id), "finally %.30s", e->name);
		xp_report(SL_VIOLATION_ORACLE, id, "does not hold when all threads have ended");
	}
}

/* Somebody wrote without being seen: then states are not what they seem, and nothing is proved. */
static void check_hash(void)
{
	if (xp_arena_hash() == xp.hash)
		return;
	fprintf(stderr,
		"%s: shared data has changed without a write that the explorer sees: by a library "
		"function, by assembly, or by an invariant\n",
		run.name);
	exit(EXIT_USAGE);
}

static const char *invariant(void)
{
	static char id[40];
	static size_t steps;
	const char *broken = NULL;

	for (size_t i = 0; i < entries() && !broken; i++) {
		const struct sl_entry *e = __start_sl_entries[i];

		if (e->kind != SL_ENTRY_INVARIANT || e->holds())
			continue;
		snprintf(id, sizeof(id), "invariant %.28s", e->name);
		broken = id;
	}
	images.stale |= xp.learned;
	if (++steps * 128 >= xp.arena_size) {
		steps = 0;
		check_hash();
	}
	return broken;
}

/* ---- accidents ------------------------------------------------------------------------------- */

static char accident[80];

/* Where a thread goes on that has crashed: on its own stack, which nobody needs any more. */
static void crashed(void)
{
	xp_report(USER_CRASH, "crash", accident);
}

static void on_crash(int sig, siginfo_t *info, void *context)
{
	ucontext_t *c = context;
	u8 *top, *low;

	if (!xp.active) {
		static const char text[] = "a crash outside of the threads: in an invariant?\n";

		if (write(STDERR_FILENO, text, sizeof(text) - 1) < 0)
			_exit(EXIT_USAGE);
		_exit(EXIT_USAGE);
	}
	top = xp_context_top(xp.cur);
	low = xp.fiber[xp.cur].guest ? xp_guests.guest[xp.fiber[xp.cur].guest - 1].room
				     : top - XP_STACK_SIZE;
	snprintf(accident, sizeof(accident), "%s%s at program+0x%zx", sigabbrev_np(sig),
		 (u8 *)info->si_addr >= low && (u8 *)info->si_addr < low + PAGE ? ", out of stack,"
										: "",
		 /* One behind, as return addresses are. */
		 xp_program_offset((const u8 *)(uintptr_t)c->uc_mcontext.gregs[REG_RIP] + 1));
	c->uc_mcontext.gregs[REG_RSP] = (greg_t)(uintptr_t)(top - 64 - 8);
	c->uc_mcontext.gregs[REG_RIP] = (greg_t)(uintptr_t)crashed;
}

static void on_watchdog(int sig)
{
	static u32 last;
	static bool again;

	(void)sig;
	if (xp.active && again && last == xp.stamp_now) {
		static const char text[] =
			"a thread does not get to its next atomic access: it loops over plain data\n";

		if (write(STDERR_FILENO, text, sizeof(text) - 1) < 0)
			_exit(EXIT_USAGE);
		_exit(EXIT_USAGE);
	}
	again = xp.active;
	last = xp.stamp_now;
}

static void on_interrupt(int sig)
{
	(void)sig;
	run.interrupted = 1;
}

static bool is_interrupted(void *ctx)
{
	(void)ctx;
	return run.interrupted;
}

static void catch_signals(void)
{
	static const int crashes[] = { SIGSEGV, SIGBUS, SIGFPE, SIGILL };
	static u8 room[1 << 16];
	const stack_t stack = { .ss_sp = room, .ss_size = sizeof(room) };
	struct sigaction a = { .sa_sigaction = on_crash, .sa_flags = SA_SIGINFO | SA_ONSTACK };
	struct itimerval every = { .it_interval.tv_sec = WATCHDOG, .it_value.tv_sec = WATCHDOG };

	sigaltstack(&stack, NULL);
	for (u32 i = 0; i < ARRAY_SIZE(crashes); i++)
		sigaction(crashes[i], &a, NULL);
	a = (struct sigaction){ .sa_handler = on_watchdog, .sa_flags = SA_RESTART | SA_ONSTACK };
	sigaction(SIGALRM, &a, NULL);
	setitimer(ITIMER_REAL, &every, NULL);
	a.sa_handler = on_interrupt;
	sigaction(SIGINT, &a, NULL);
	sigaction(SIGTERM, &a, NULL);
}

/* The last page of each stack is out of bounds. */
static void guard_stacks(int protection)
{
	for (u32 i = 0; i < XP_FIBERS_MAX; i++)
		if (mprotect(xp.stacks + (size_t)i * XP_STACK_SIZE, PAGE, protection))
			return;
}

/* ---- the report ------------------------------------------------------------------------------ */

struct outcome {
	struct xs_result x;
	struct user_trace t;
	char text[400];
	u32 kind;
};

static const char *kind_name(u32 kind)
{
	if (kind == USER_ASSERT)
		return "assert";
	if (kind == USER_CRASH)
		return "crash";
	switch (kind) {
	case SL_VIOLATION_RACE:
		return "race";
	case SL_VIOLATION_DEADLOCK:
		return "deadlock";
	case SL_VIOLATION_LIVELOCK:
		return "livelock";
	case SL_VIOLATION_MODULE_HALT:
		return "module-halt";
	default:
		return "oracle";
	}
}

static const char *verdict(const struct outcome *o)
{
	if (o->x.kind != XS_KIND_NONE)
		return "violated";
	return o->x.limit == XS_COMPLETE ? "holds" : "inconclusive";
}

static const char *limit_name(enum xs_limit limit)
{
	static const char *const name[] = {
		"none",        "time",        "memory", "depth",
		"interrupted", "preemptions", "random", "store-buffer"
	};

	return name[limit];
}

static void print_rows(const struct outcome *o)
{
	const struct xs_result *x = &o->x;
	bool looped = x->loop_start >= x->steps;
	u32 name = 6, object = 8, what = 4;

	for (u32 i = 0; i < o->t.rows; i++) {
		const struct user_row *r = &o->t.row[i];
		u32 n = (u32)strlen(user_thread_name(r->thread)), m = (u32)strlen(r->object),
		    w = (u32)strlen(r->what);

		name = n > name ? n : name;
		object = m > object ? m : object;
		what = w > what ? w : what;
	}
	printf("%s counterexample: %u step%s, %u preemption%s", x->minimal ? "shortest" : "a",
	       x->steps, x->steps == 1 ? "" : "s", x->preemptions, x->preemptions == 1 ? "" : "s");
	if (!looped)
		printf("; steps %u to %u are the loop", x->loop_start + 1, x->steps);
	printf("\n step %-*s %-*s %-*s in\n", (int)name, "thread", (int)object, "variable",
	       (int)what, "what");
	for (u32 i = 0; i < o->t.rows; i++) {
		const struct user_row *r = &o->t.row[i];
		bool first = !i || o->t.row[i - 1].step != r->step;
		char step[12] = "";
		char line[300];
		int n;

		if (!looped && r->step > x->loop_start) {
			printf("      -- from here on, again and again --\n");
			looped = true;
		}
		if (first)
			snprintf(step, sizeof(step), "%u", r->step);
		n = snprintf(line, sizeof(line), "%5s %-*s %-*s %-*s %s", step, (int)name,
			     first ? user_thread_name(r->thread) : "", (int)object, r->object,
			     (int)what, r->what, r->where);
		while (n && line[n - 1] == ' ')
			line[--n] = '\0';
		puts(line);
	}
}

static void print_text(const struct outcome *o)
{
	const struct xs_result *x = &o->x;

	printf("%s: %s", run.name, verdict(o));
	if (x->kind != XS_KIND_NONE)
		printf("(%s)", kind_name(x->kind));
	else if (x->limit == XS_LIMIT_PREEMPTIONS)
		printf(" (no violation with at most %u preemptions)", run.search.preemptions);
	else if (x->limit == XS_LIMIT_STORES)
		printf(" (no violation with store buffers of %u stores, which were full)",
		       run.search.store_buffer);
	else if (x->limit == XS_LIMIT_RUNS)
		printf(" (no violation in %" PRIu64 " random runs)", x->runs);
	else if (x->limit != XS_COMPLETE)
		printf(" (limit reached: %s)", limit_name(x->limit));
	printf("\n  %u thread%s\n", run.threads, run.threads == 1 ? "" : "s");
	printf("  %" PRIu64 " states, %" PRIu64 " transitions, %.2f s, %.2f M transitions/s\n"
	       "  depth %u, %u passes, %u shared words\n",
	       x->states, x->transitions, x->seconds,
	       x->seconds > 0 ? (double)x->all_transitions / x->seconds / 1e6 : 0.0, x->depth,
	       x->passes, x->shared_words);
	if (x->kind == XS_KIND_NONE)
		return;
	printf("  %s: %s\n", x->id, o->text);
	print_rows(o);
}

static void json_string(const char *s)
{
	putchar('"');
	for (; *s; s++) {
		if (*s == '"' || *s == '\\')
			printf("\\%c", *s);
		else if ((u8)*s < 0x20)
			printf("\\u%04x", (u8)*s);
		else
			putchar(*s);
	}
	putchar('"');
}

static void json_member(const char *name, const char *value)
{
	printf("\"%s\": ", name);
	if (value)
		json_string(value);
	else
		printf("null");
}

static void print_json(const struct outcome *o)
{
	const struct xs_result *x = &o->x;
	bool violated = x->kind != XS_KIND_NONE;

	printf("{\n  ");
	json_member("program", run.name);
	printf(",\n  ");
	json_member("verdict", verdict(o));
	printf(",\n  ");
	json_member("kind", violated ? kind_name(x->kind) : NULL);
	printf(",\n  \"threads\": %u,\n  \"states\": %" PRIu64 ",\n  \"transitions\": %" PRIu64
	       ",\n  \"seconds\": %.6f,\n  \"peak_memory_bytes\": %zu,\n  \"complete\": %s,\n  ",
	       run.threads, x->states, x->transitions, x->seconds, x->memory,
	       x->limit == XS_COMPLETE ? "true" : "false");
	json_member("limit", limit_name(x->limit));
	printf(",\n  ");
	json_member("id", violated ? x->id : NULL);
	printf(",\n  ");
	json_member("detail", violated ? o->text : NULL);
	printf(",\n  \"loop_start\": ");
	printf(violated && x->loop_start < x->steps ? "%u" : "null", x->loop_start + 1);
	printf(",\n  \"steps\": [");
	for (u32 i = 0; i < o->t.rows; i++) {
		const struct user_row *r = &o->t.row[i];

		printf("%s\n    {\"step\": %u, ", i ? "," : "", r->step);
		json_member("thread", user_thread_name(r->thread));
		printf(", ");
		json_member("object", r->object);
		printf(", ");
		json_member("what", r->what);
		printf(", ");
		json_member("in", r->where);
		printf("}");
	}
	printf("%s]\n}\n", o->t.rows ? "\n  " : "");
}

/* ---- options --------------------------------------------------------------------------------- */

enum {
	OPT_TIME = 256,
	OPT_MEMORY,
	OPT_HASH_SEED,
	OPT_NO_REDUCTION,
	OPT_NO_CHECKPOINTS,
	OPT_AUDIT,
	OPT_PREEMPTIONS,
	OPT_RANDOM,
	OPT_SEED,
	OPT_ALL_FINISH,
	OPT_MEMORY_MODEL,
	OPT_STORE_BUFFER,
	OPT_FORMAT,
};

static const struct argp_option options[] = {
	{ "time", OPT_TIME, "SECONDS", 0, "stop after so long (default: no limit)", 0 },
	{ "memory", OPT_MEMORY, "MB", 0, "stop when the states take more", 0 },
	{ "hash-seed", OPT_HASH_SEED, "N", 0, "another hash of states; counts must not change", 0 },
	{ "no-reduction", OPT_NO_REDUCTION, NULL, 0,
	  "every atomic access is a scheduling point; the verdict must not change", 0 },
	{ "no-checkpoints", OPT_NO_CHECKPOINTS, NULL, 0, "do not believe sl_checkpoint()", 0 },
	{ "audit", OPT_AUDIT, NULL, 0,
	  "visit every state from every side and compare what comes next", 0 },
	{ "preemptions", OPT_PREEMPTIONS, "N", 0,
	  "leave out schedules with more than N preemptions; proves nothing", 0 },
	{ "random", OPT_RANDOM, "N", 0, "no search but N random runs; proves nothing", 0 },
	{ "seed", OPT_SEED, "S", 0, "of the first random run (default 0)", 0 },
	{ "all-finish", OPT_ALL_FINISH, NULL, 0,
	  "look for livelocks: every thread ends if each gets its turns", 0 },
	{ "memory-model", OPT_MEMORY_MODEL, "sc|tso", 0,
	  "sc: memory is sequentially consistent (default); tso: stores wait in store buffers, as on x86",
	  0 },
	{ "store-buffer", OPT_STORE_BUFFER, "N", 0,
	  "with tso: stores of one thread that can wait (default 8)", 0 },
	{ "format", OPT_FORMAT, "text|json", 0, "form of the report on standard output", 0 },
	{ 0 },
};

static double number(struct argp_state *state, const char *name, const char *arg, double max)
{
	double v;

	if (!sl_number(arg, max, &v))
		argp_error(state, "%s: found '%s'; expected a number from 0 to %g", name, arg, max);
	return v;
}

static error_t parse_option(int key, char *arg, struct argp_state *state)
{
	switch (key) {
	case OPT_TIME:
		run.search.seconds = number(state, "--time", arg, 1e7);
		return 0;
	case OPT_MEMORY:
		run.search.memory = (size_t)(number(state, "--memory", arg, 1e7) * 1e6);
		return 0;
	case OPT_HASH_SEED:
		run.search.seed = (u64)number(state, "--hash-seed", arg, 1e15);
		return 0;
	case OPT_NO_REDUCTION:
		run.search.no_reduction = true;
		return 0;
	case OPT_NO_CHECKPOINTS:
		run.search.no_checkpoints = true;
		return 0;
	case OPT_AUDIT:
		run.search.audit = true;
		return 0;
	case OPT_PREEMPTIONS:
		run.search.bounded = true;
		run.search.preemptions = (u32)number(state, "--preemptions", arg, 250);
		return 0;
	case OPT_RANDOM:
		run.search.runs = (u32)number(state, "--random", arg, 4e9);
		return 0;
	case OPT_SEED:
		run.search.run_seed = (u64)number(state, "--seed", arg, 1e15);
		return 0;
	case OPT_ALL_FINISH:
		run.all_finish = true;
		return 0;
	case OPT_MEMORY_MODEL:
		if (strcmp(arg, "sc") != 0 && strcmp(arg, "tso") != 0)
			argp_error(state, "--memory-model: found '%s'; expected sc or tso", arg);
		run.tso = !strcmp(arg, "tso");
		return 0;
	case OPT_STORE_BUFFER:
		run.search.store_buffer = (u32)number(state, "--store-buffer", arg, SB_STORES_MAX);
		if (!run.search.store_buffer)
			argp_error(state, "--store-buffer: found '%s'; expected 1 to %u", arg,
				   SB_STORES_MAX);
		return 0;
	case OPT_FORMAT:
		if (strcmp(arg, "text") && strcmp(arg, "json"))
			argp_error(state, "--format: found '%s'; expected text or json", arg);
		run.json = !strcmp(arg, "json");
		return 0;
	case ARGP_KEY_ARG:
		argp_error(state, "found '%s'; expected options only", arg);
		return 0;
	case ARGP_KEY_END:
		if (run.search.runs && (run.search.bounded || run.search.audit))
			argp_error(state, "--random: found with --preemptions or --audit; expected "
					  "random runs or a search");
		if (run.search.audit && run.search.bounded)
			argp_error(state, "found --audit and --preemptions; expected one of them");
		if (run.search.store_buffer && !run.tso)
			argp_error(state, "found --store-buffer without --memory-model tso; "
					  "expected both");
		if (run.tso && !run.search.store_buffer)
			run.search.store_buffer = STORE_BUFFER;
		if (run.search.audit && run.all_finish)
			argp_error(state, "found --audit and --all-finish; expected one of them");
		return 0;
	default:
		return ARGP_ERR_UNKNOWN;
	}
}

static void show_progress(void *ctx, const struct xs_progress *p)
{
	static double last;

	(void)ctx;
	if (p->seconds < last + 0.2 && p->seconds > last)
		return;
	last = p->seconds;
	fprintf(stderr, "\r%6.1f s  pass %u  %llu states  depth %u  %.0f MB \033[K", p->seconds,
		p->pass, (unsigned long long)p->states, p->depth, (double)p->memory / 1e6);
}

/* ---- the program ----------------------------------------------------------------------------- */

static void add_threads(const struct sl_entry *e)
{
	u32 count = e->count ? e->count : 1;

	for (u32 i = 0; i < count; i++, run.threads++) {
		if (run.threads == (run.tso ? XP_STORING_MAX : XP_LANES_MAX))
			user_fail("found more than %u threads%s", run.threads,
				  run.tso ? ", the most with --memory-model tso" : "");
		run.entry[run.threads] = e;
		run.me[run.threads] = i;
		if (e->count)
			snprintf(run.thread_name[run.threads], sizeof(run.thread_name[0]),
				 "%.28s %u", e->name, i);
		else
			snprintf(run.thread_name[run.threads], sizeof(run.thread_name[0]), "%.38s",
				 e->name);
	}
}

/* Searches until what was found comes out again; each time more scheduling points are known. */
static void search(const struct xs_program *p, struct outcome *o)
{
	struct xs_result *x = &o->x;
	u64 states = 0, transitions = 0;
	double seconds = 0;
	bool played;

	do {
		u32 known;

		xs_result_free(x);
		images_clear();
		if (xs_explore(p, &run.search, x))
			user_fail("no memory for the search");
		states += x->all_states;
		transitions += x->all_transitions;
		seconds += x->seconds;
		known = xp.shared_count;
		played = x->kind == XS_KIND_NONE || user_play(p, &run.search, x, &o->t);
		if (!played && (xp.shared_count == known || run.search.audit))
			break;
	} while (!played);
	x->all_states = states;
	x->all_transitions = transitions;
	x->seconds = seconds;
	user_names(x->text, o->text, sizeof(o->text));
}

/* Makes what the threads begin with. */
static void set_up(void)
{
	run.setting_up = true;
	for (size_t i = 0; i < entries(); i++) {
		const struct sl_entry *e = __start_sl_entries[i];

		if (e->kind != SL_ENTRY_SETUP)
			continue;
		e->thread(0);
		if (&sl_x_module)
			sl_x_module.unbind();
	}
	run.setting_up = false;
	if (&sl_x_module) {
		run.machines = sl_x_module.memory;
		run.machines_size = sl_x_module.used();
	}
}

static const u8 *arena_end(void)
{
	return run.machines > shared_end ? run.machines + run.machines_size : shared_end + PAGE;
}

static int explore(void)
{
	struct xs_program p = { .arena = __start_sl_shared,
				.arena_size = (size_t)(arena_end() - __start_sl_shared),
				.lanes = run.threads,
				.lane = run_thread,
				.end = run_end,
				.invariant = invariant,
				.stopped = stopped };
	struct xs_word_list words = { 0 };
	struct outcome o = { 0 };
	const char *broken;

	if (&sl_x_module)
		sl_x_module.words(xs_word_add, &words);
	p.word = words.word;
	p.word_count = words.count;
	if (run.all_finish)
		p.must_finish = (1u << run.threads) - 1;
	if (!images_resize(1 << 12) || !xs_open(&p, &run.search))
		user_fail("no memory for the search");
	xp.watching = true;
	guard_stacks(PROT_NONE);
	broken = invariant();
	if (broken) {
		o.x = (struct xs_result){ .kind = SL_VIOLATION_ORACLE, .minimal = true };
		snprintf(o.x.id, sizeof(o.x.id), "%s", broken);
		snprintf(o.text, sizeof(o.text), "does not hold before the threads start");
	} else {
		search(&p, &o);
		check_hash();
	}
	if (run.search.progress)
		fputs("\r\033[K", stderr);
	if (run.json)
		print_json(&o);
	else
		print_text(&o);
	if (fflush(stdout) || ferror(stdout))
		user_fail("cannot write the report: %s", strerror(errno));
	if (o.x.kind != XS_KIND_NONE)
		return EXIT_VIOLATED;
	return o.x.limit == XS_COMPLETE ? EXIT_HOLDS : EXIT_LIMIT;
}

int main(int argc, char **argv)
{
	static const struct argp argp = {
		.options = options,
		.parser = parse_option,
		.doc = "Explore every interleaving of this program's threads: it holds, is violated "
		       "(with a trace), or a limit was reached.\v"
		       "Exit status: 0 it holds, 1 violated, 2 usage or input, 3 a limit was reached.",
	};
	const char *slash = argc ? strrchr(argv[0], '/') : NULL;

	run.name = slash ? slash + 1 : argc ? argv[0] : "?";
	run.search.races = true;
	run.search.order_runs = XS_ORDER_RUNS;
	run.search.minimise_seconds = 10;
	argp_err_exit_status = EXIT_USAGE;
	argp_parse(&argp, argc, argv, 0, NULL, NULL);
	for (size_t i = 0; i < entries(); i++)
		if (__start_sl_entries[i]->kind == SL_ENTRY_THREADS)
			add_threads(__start_sl_entries[i]);
	if (!run.threads)
		user_fail("found no SL_THREAD or SL_THREADS");
	symbols_load();
	set_up();
	catch_signals();
	run.search.interrupted = is_interrupted;
	if (isatty(STDERR_FILENO))
		run.search.progress = show_progress;
	return explore();
}
