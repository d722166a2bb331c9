/* SPDX-License-Identifier: MIT */
/*
 * What the explorer should know about a machine of the instrumented module: its words, and names for
 * what lies in it. Compiled with the hooks. Layer: engine.
 */
#ifndef SL_ENGINE_XMACHINE_H
#define SL_ENGINE_XMACHINE_H

#include "engine/explore/word.h"
#include "module/machine.h"

/*
 * Tells @add every lock word and every counter of the machine and of its TDs as they are now (kind:
 * enum xp_word; size in bytes). Counters are those whose old value nobody uses.
 */
void xmachine_words(struct sl_machine *m,
		    void (*add)(void *ctx, const void *addr, u8 kind, u8 size), void *ctx);

static inline bool is_in(const void *addr, const void *base, size_t size)
{
	return (const u8 *)addr >= (const u8 *)base && (const u8 *)addr < (const u8 *)base + size;
}

/* What lies at @addr within the TDCS: "epoch lock"; *kind: how to read it. */
const char *xmachine_tdcs_field(const struct tdcs *t, const void *addr, bool tree_hp,
				enum xworld_word *kind);
/* "LP 1 interrupt"; false if @addr is in none of them. */
bool xmachine_describe_lp(const struct sl_machine *m, const void *addr, char *text, size_t size);
/* All of it, by physical addresses: "S-EPT entry 0x40001000 level 0". Empty if unknown. */
void xmachine_describe(struct sl_machine *m, const void *addr, char *text, size_t size);

#endif
