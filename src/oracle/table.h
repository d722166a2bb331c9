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

enum oracle_when {
	ORACLE_COMMIT = 1,
	ORACLE_RETURN = 2,
	ORACLE_ACCESS = 4,
	ORACLE_REST = 8,
	ORACLE_EMPTY = 16,
	ORACLE_STEP = 32,
};

struct oracle_info {
	const char *name;
	u32 when; /* enum oracle_when, any of them */
	const char *promise;
	const char *condition; /* "" if it is always looked at */
};

const struct oracle_info *oracle_info(enum oracle_id id);
/* "INV-PAGE-01" */
const char *oracle_name(enum oracle_id id);

#endif
