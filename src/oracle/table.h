/* SPDX-License-Identifier: MIT */
/* The table of oracles, oracle.def, as data. Layer: oracle. */
#ifndef SL_ORACLE_TABLE_H
#define SL_ORACLE_TABLE_H

#include "base/types.h"

enum oracle_id {
#define ORACLE(ident, name, when, promise, condition, test) INV_##ident,
#include "oracle/oracle.def"
#undef ORACLE
	ORACLES
};

enum oracle_when_bit {
#define ORACLE_WHEN(ident, text) ORACLE_##ident,
#include "oracle/oracle_when.def"
#undef ORACLE_WHEN
};

struct oracle_info {
	const char *name;
	u32 when; /* a bit for each enum oracle_when_bit */
	const char *promise;
	const char *condition; /* "" if it is always looked at */
};

const struct oracle_info *oracle_info(enum oracle_id id);
/* "INV-PAGE-01" */
const char *oracle_name(enum oracle_id id);
/* By name, in any case. False if there is none of this name. */
bool oracle_find(const char *name, enum oracle_id *id);
/* When an oracle looks, in words; NULL behind the last one. */
const char *oracle_when_text(u32 bit);

#endif
