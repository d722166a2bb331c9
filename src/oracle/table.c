// SPDX-License-Identifier: MIT
/* See table.h. Layer: oracle. */
#include "oracle/table.h"

#include <strings.h>

enum {
#define ORACLE_WHEN(ident, text) ident = 1 << ORACLE_##ident,
#include "oracle/oracle_when.def"
#undef ORACLE_WHEN
};

static const struct oracle_info table[ORACLES] = {
#define ORACLE(ident, name_, when_, promise_, condition_, test)                                    \
	[INV_##ident] = {                                                                          \
		.name = (name_), .when = (when_), .promise = (promise_), .condition = (condition_) \
	},
#include "oracle/oracle.def"
#undef ORACLE
};

const struct oracle_info *oracle_info(enum oracle_id id)
{
	return &table[id];
}

bool oracle_find(const char *name, enum oracle_id *id)
{
	for (u32 i = 0; i < ORACLES; i++)
		if (!strcasecmp(name, table[i].name)) {
			*id = (enum oracle_id)i;
			return true;
		}
	return false;
}

const char *oracle_when_text(u32 bit)
{
	static const char *const text[] = {
#define ORACLE_WHEN(ident, words) words,
#include "oracle/oracle_when.def"
#undef ORACLE_WHEN
	};

	return bit < ARRAY_SIZE(text) ? text[bit] : NULL;
}

const char *oracle_name(enum oracle_id id)
{
	return table[id].name;
}
