// SPDX-License-Identifier: MIT
/* Litmus programs. Compiled with the hooks. */
#include "litmus_prog.h"

union litmus_arena litmus_arena;
const struct litmus *litmus_now;

#define STORE(bits, mo) __atomic_store_n((uint##bits##_t *)at, (uint##bits##_t)value, mo)
#define SIZED(op, mo)       \
	switch (size) {     \
	case 1:             \
		op(8, mo);  \
		break;      \
	case 2:             \
		op(16, mo); \
		break;      \
	case 4:             \
		op(32, mo); \
		break;      \
	default:            \
		op(64, mo); \
		break;      \
	}

static void store(void *at, uint8_t size, uint64_t value, enum litmus_kind kind)
{
	if (kind == LITMUS_STORE)
		SIZED(STORE, __ATOMIC_RELEASE)
	else if (kind == LITMUS_RELAXED)
		SIZED(STORE, __ATOMIC_RELAXED)
	else
		SIZED(STORE, __ATOMIC_SEQ_CST)
}

#define PLAIN_STORE(bits, mo) *(uint##bits##_t *)at = (uint##bits##_t)value
#define LOAD(bits, mo)        value = __atomic_load_n((uint##bits##_t *)at, mo)
#define PLAIN_LOAD(bits, mo)  value = *(uint##bits##_t *)at
#define XCHG(bits, mo)        value = __atomic_exchange_n((uint##bits##_t *)at, (uint##bits##_t)value, mo)

static void plain_store(void *at, uint8_t size, uint64_t value)
{
	SIZED(PLAIN_STORE, 0)
}

static uint64_t load(void *at, uint8_t size, enum litmus_kind kind)
{
	uint64_t value;

	if (kind == LITMUS_LOAD)
		SIZED(LOAD, __ATOMIC_ACQUIRE)
	else
		SIZED(PLAIN_LOAD, 0)
	return value;
}

static uint64_t xchg(void *at, uint8_t size, uint64_t value)
{
	SIZED(XCHG, __ATOMIC_ACQ_REL)
	return value;
}

void litmus_lane(uint32_t lane)
{
	uint64_t *reg = litmus_arena.d.now.reg[lane];
	uint32_t regs = 0;

	for (const struct litmus_op *op = litmus_now->op[lane]; op->kind != LITMUS_END; op++) {
		void *at = &litmus_arena.d.now.memory[op->at];

		switch ((enum litmus_kind)op->kind) {
		case LITMUS_STORE:
		case LITMUS_RELAXED:
		case LITMUS_SEQ_CST:
			store(at, op->size, op->value, (enum litmus_kind)op->kind);
			break;
		case LITMUS_PLAIN:
			plain_store(at, op->size, op->value);
			break;
		case LITMUS_LOAD:
		case LITMUS_PLAIN_LOAD:
			reg[regs++] = load(at, op->size, (enum litmus_kind)op->kind);
			break;
		case LITMUS_FENCE:
			__atomic_thread_fence(__ATOMIC_SEQ_CST);
			break;
		case LITMUS_ACQ_REL:
			__atomic_thread_fence(__ATOMIC_ACQ_REL);
			break;
		case LITMUS_XCHG:
			reg[regs++] = xchg(at, op->size, op->value);
			break;
		case LITMUS_MINE:
			__atomic_fetch_add(&litmus_arena.d.mine[lane], 1, __ATOMIC_RELAXED);
			break;
		case LITMUS_UNLESS:
			if (reg[regs - 1] != op->value)
				return;
			break;
		case LITMUS_END:
		default:
			return;
		}
	}
}
