/* SPDX-License-Identifier: MIT */
/* Names of variables and functions of the running program, from its own file. Layer: engine. */
#ifndef SL_ENGINE_SYMBOLS_H
#define SL_ENGINE_SYMBOLS_H

#include "base/types.h"

struct symbol {
	const char *name;
	uintptr_t addr;
	size_t size;
};

/* False, and nothing has a name, if the program's file cannot be read or has been stripped. */
bool symbols_load(void);
/* The variable or function that @addr lies in, or NULL. */
const struct symbol *symbol_at(const void *addr);

#endif
