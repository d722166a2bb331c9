// SPDX-License-Identifier: MIT
/*
 * Machines, LPs and guests of a user's program under the explorer. Compiled with the hooks: what is
 * written here is part of the explored state, and lies where the user's own data lie. Layer: engine.
 */
#include "engine/explore/xplain.h"

#include <errno.h>
#include <stdio.h>

#include <seamlab/explore.h>

#include "base/arena.h"
#include "engine/explore/xmachine.h"
#include "engine/plain.h"

/* Of all machines and guests of a program. It is in the program's file, if mostly zero. */
#define ROOM         (4u << 20)
#define MACHINES_MAX 4u
#define GUESTS_MAX   16u

struct machine_at {
	struct sl_machine *machine;
	_Atomic bool taken[SL_LPS_MAX]; /* a thread is bound to the LP */
};

/* Behind the user's data. What is not in use of the room, at its end, the explorer leaves out. */
struct plain {
	struct sl_arena left;
	struct machine_at at[MACHINES_MAX];
	u32 machines;
	struct plain_thread thread[SL_X_CALLERS];
	/* For names only. */
	const void *guest[GUESTS_MAX];
	size_t guest_size;
	u32 guests;
	_Alignas(SL_PAGE_SIZE) u8 room[ROOM];
};

struct stack {
	u32 guest;
};

static SL_SHARED struct plain plain;

/* ---- memory ---------------------------------------------------------------------------------- */

static void *room_alloc(const char *caller, size_t size, size_t align)
{
	struct sl_arena *a = &plain.left;

	if (!sl_x_setting_up())
		sl_x_refuse(caller);
	a->base = plain.room;
	a->size = ROOM;
	if (size > ROOM || sl_align_up(a->used, align) + size > ROOM)
		return NULL;
	return sl_arena_alloc(a, size, align);
}

static size_t used(void)
{
	return offsetof(struct plain, room) + (size_t)sl_align_up(plain.left.used, SL_PAGE_SIZE);
}

/* A guest's data; its stack is not among them. */
void *plain_alloc(size_t size)
{
	void *p = room_alloc("sl_guest_create() is for SL_SETUP", size, 16);

	if (p && plain.guests < GUESTS_MAX)
		plain.guest[plain.guests++] = p;
	plain.guest_size = size;
	return p;
}

/* Nothing is used again: the program is at its end soon. */
void plain_free(void *p)
{
	(void)p;
}

/* ---- threads --------------------------------------------------------------------------------- */

struct plain_thread *plain_self(void)
{
	return &plain.thread[sl_x_caller()];
}

void plain_relax(void)
{
	sl_pause();
}

_Atomic bool *plain_lp_taken(struct sl_lp *lp)
{
	for (u32 i = 0; i < plain.machines; i++)
		if (plain.at[i].machine == lp->machine)
			return &plain.at[i].taken[lp->index];
	return NULL;
}

void plain_lp_bound(struct sl_lp *lp)
{
	(void)lp;
}

/* ---- machines -------------------------------------------------------------------------------- */

struct sl_machine *sl_machine_create(const struct sl_machine_config *cfg)
{
	struct machine_at *at = &plain.at[plain.machines];
	size_t size;
	void *arena;

	if (!plain_config_is_valid(cfg)) {
		errno = EINVAL;
		return NULL;
	}
	size = sl_machine_arena_size(cfg);
	arena = room_alloc("sl_machine_create() is for SL_SETUP", size, SL_PAGE_SIZE);
	if (!arena || plain.machines == MACHINES_MAX) {
		errno = ENOMEM;
		return NULL;
	}
	at->machine = sl_machine_init(cfg, arena, size);
	for (u32 i = 0; i < cfg->lps; i++)
		sl_lp_set_env(sl_machine_lp(at->machine, i), sl_x_env());
	plain.machines++;
	return at->machine;
}

void sl_machine_destroy(struct sl_machine *m)
{
	(void)m;
}

/* A finding ends the run. */
void sl_machine_on_finding(struct sl_machine *m,
			   void (*fn)(void *ctx, struct sl_lp *lp, const char *kind,
				      const char *where, const char *text),
			   void *ctx)
{
	(void)m;
	(void)fn;
	(void)ctx;
}

/* The lock library's report of a misused lock word: a module check that failed. */
void hp_misuse(const char *what)
{
	env_violate(sl_x_env(), SL_VIOLATION_MODULE_HALT, "lock word", "%s", what);
}

/* ---- stacks of guests ------------------------------------------------------------------------ */

struct stack *stack_new(size_t size, void (*entry)(void *arg), void *arg)
{
	struct stack *s = room_alloc("a stack", sizeof(*s), 16);
	int guest = s ? sl_x_guest_make(size, entry, arg) : -1;

	if (guest < 0)
		return NULL;
	s->guest = (u32)guest;
	return s;
}

void stack_enter(struct stack *s)
{
	sl_x_guest_enter(s->guest);
}

void stack_leave(struct stack *s)
{
	(void)s;
	sl_x_guest_leave();
}

void stack_free(struct stack *s)
{
	(void)s;
}

/* ---- what the explorer asks -------------------------------------------------------------------- */

static void unbind(void)
{
	(void)sl_lp_bind(NULL);
}

static void words(void (*add)(void *ctx, const void *addr, u8 kind, u8 size), void *ctx)
{
	for (u32 i = 0; i < plain.machines; i++)
		xmachine_words(plain.at[i].machine, add, ctx);
}

static void describe(const void *addr, char *text, size_t size)
{
	text[0] = '\0';
	for (u32 i = 0; i < plain.machines && !text[0]; i++) {
		const struct machine_at *at = &plain.at[i];

		if (is_in(addr, at->taken, sizeof(at->taken)))
			snprintf(text, size, "LP %zu bound",
				 (size_t)((const _Atomic bool *)addr - at->taken));
		else
			xmachine_describe(at->machine, addr, text, size);
	}
	for (u32 i = 0; i < plain.guests && !text[0]; i++)
		if (is_in(addr, plain.guest[i], plain.guest_size))
			snprintf(text, size, "guest %u", i);
}

const struct sl_x_module sl_x_module = {
	.memory = (const u8 *)&plain,
	.used = used,
	.unbind = unbind,
	.words = words,
	.describe = describe,
};
