// SPDX-License-Identifier: MIT
/* See table.h. Layer: oracle. */
#include "oracle/table.h"

enum {
	COMMIT = ORACLE_COMMIT,
	RETURN = ORACLE_RETURN,
	ACCESS = ORACLE_ACCESS,
	REST = ORACLE_REST,
	EMPTY = ORACLE_EMPTY,
	STEP = ORACLE_STEP,
};

static const struct oracle_info table[ORACLES] = {
#define ORACLE(ident, name_, when_, promise_, condition_, test) \
	[INV_##ident] = { .name = (name_),                      \
			  .when = (when_),                      \
			  .promise = (promise_),                \
			  .condition = (condition_) },
#include "oracle/oracle.def"
#undef ORACLE
};

const struct oracle_info *oracle_info(enum oracle_id id)
{
	return &table[id];
}

const char *oracle_name(enum oracle_id id)
{
	return table[id].name;
}
