// SPDX-License-Identifier: MIT
/*
 * What the module in a user's program asks of the explorer. Not instrumented; runs on fibers.
 * Layer: engine.
 */
#include <stdio.h>
#include <stdlib.h>

#include "engine/explore/guests.h"
#include "engine/explore/usercode.h"
#include "engine/explore/xenv.h"
#include "engine/explore/xplain.h"

_Static_assert(SL_X_CALLERS == XP_FIBERS_MAX + 1, "fibers, and set-up");

static struct {
	struct sl_env env;
	struct sl_env_ops ops;
} user;

/* Digests of what was seen must not get into the next frames of whoever is known by its stack. */
static u32 choose(struct sl_env *env, enum sl_choice what, u32 n)
{
	u32 choice = xenv_ops.choose(env, what, n);

	xp_scrub();
	return choice;
}

static bool elapsed(struct sl_env *env, u64 start, u64 ticks)
{
	bool yes = xenv_ops.elapsed(env, start, ticks);

	xp_scrub();
	return yes;
}

static void relax(struct sl_env *env)
{
	xenv_ops.pause(env);
	xp_scrub();
}

static void wait_while(struct sl_env *env, const _Atomic u32 *word, u32 old)
{
	xenv_ops.wait_while(env, word, old);
	xp_scrub();
}

static void ops_init(void)
{
	user.ops = xenv_ops;
	user.ops.choose = choose;
	user.ops.elapsed = elapsed;
	user.ops.pause = relax;
	user.ops.wait_while = wait_while;
	/* What the module promises is true of its own lanes: a user's has locals that go on. */
	user.ops.checkpoint = NULL;
	user.ops.mark = NULL;
	user.ops.settle = NULL;
}

struct sl_env *sl_x_env(void)
{
	if (!user.env.ops) {
		/* Counts would be numbers on stacks that a loop makes larger each time. */
		xenv_init(&user.env, NULL);
		ops_init();
		user.env.ops = &user.ops;
	}
	return &user.env;
}

u32 sl_x_caller(void)
{
	return xp.active ? xp.cur : XP_FIBERS_MAX;
}

bool sl_x_setting_up(void)
{
	return user_is_setting_up();
}

int sl_x_guest_make(size_t size, void (*entry)(void *arg), void *arg)
{
	return xp_guest_make(size, entry, arg);
}

void sl_x_guest_enter(u32 guest)
{
	xp_guest_enter(guest);
	xp_scrub();
}

void sl_x_guest_leave(void)
{
	xp_guest_leave();
	xp_scrub();
}

void sl_x_refuse(const char *why)
{
	user_fail("%s", why);
}
