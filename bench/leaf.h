/* SPDX-License-Identifier: MIT */
/* The parts of the section "module" that are about leaves. */
#ifndef SL_BENCH_LEAF_H
#define SL_BENCH_LEAF_H

#include <seamlab/module.h>

#include "bench.h"
#include "module/machine.h"

/* A row for each leaf, over so many lives of a TD. */
void bench_leaves(json_t *rows, enum sl_flavour flavour, u32 lives);
/* Calls of a hostile host. */
json_t *bench_hostile(double seconds);

#endif
