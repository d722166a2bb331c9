/* SPDX-License-Identifier: MIT */
/*
 * The doors between the instrumented module of a user's program (xplain.c, an object of its own that is
 * linked only where somebody calls it) and the explorer that runs it (userenv.c, usercode.c).
 * Layer: engine.
 */
#ifndef SL_ENGINE_XPLAIN_H
#define SL_ENGINE_XPLAIN_H

#include "base/env.h"
#include "base/types.h"

/* ---- of the explorer ------------------------------------------------------------------------- */

/* Who runs: a fiber, or set-up, which has a number behind them. */
#define SL_X_CALLERS 18u
u32 sl_x_caller(void);
/* Does set-up run, in which machines and guests are made? */
bool sl_x_setting_up(void);
/* The env of all LPs. */
struct sl_env *sl_x_env(void);
/* guests.h */
int sl_x_guest_make(size_t size, void (*entry)(void *arg), void *arg);
void sl_x_guest_enter(u32 guest);
void sl_x_guest_leave(void);
/* The program cannot be explored: says so and ends it. */
__attribute__((noreturn)) void sl_x_refuse(const char *why);

/* ---- of the module --------------------------------------------------------------------------- */

struct sl_x_module {
	/* Where all that it has lies; how much of it is in use, from the start. */
	const u8 *memory;
	size_t (*used)(void);
	/* Set-up gives back the LP that it has. */
	void (*unbind)(void);
	/* xmachine.h, for all machines. */
	void (*words)(void (*add)(void *ctx, const void *addr, u8 kind, u8 size), void *ctx);
	void (*describe)(const void *addr, char *text, size_t size);
};

/* Not there in a program that makes no SEAMCALL. */
extern const struct sl_x_module sl_x_module __attribute__((weak));

#endif
