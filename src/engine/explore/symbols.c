// SPDX-License-Identifier: MIT
/* The program's symbol table. Layer: engine. */
#include "engine/explore/symbols.h"

#include <elf.h>
#include <fcntl.h>
#include <link.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

static struct {
	struct symbol *symbol;
	size_t count;
} table;

/* The program itself is the first object that is told. */
static int first_object(struct dl_phdr_info *info, size_t size, void *bias)
{
	(void)size;
	*(uintptr_t *)bias = info->dlpi_addr;
	return 1;
}

static int by_address(const void *a, const void *b)
{
	const struct symbol *x = a, *y = b;

	return x->addr < y->addr ? -1 : x->addr > y->addr;
}

static void take(const ElfW(Sym) * sym, size_t n, const char *names, uintptr_t bias)
{
	table.symbol = calloc(n + 1, sizeof(*table.symbol));
	if (!table.symbol)
		return;
	for (size_t i = 0; i < n; i++) {
		u32 type = ELF64_ST_TYPE(sym[i].st_info);

		if ((type != STT_OBJECT && type != STT_FUNC) || !sym[i].st_size ||
		    sym[i].st_shndx == SHN_UNDEF)
			continue;
		table.symbol[table.count++] = (struct symbol){ .name = names + sym[i].st_name,
							       .addr = bias + sym[i].st_value,
							       .size = sym[i].st_size };
	}
	qsort(table.symbol, table.count, sizeof(*table.symbol), by_address);
}

/* The kernel has read this file and runs it, so that its tables lie within it. */
bool symbols_load(void)
{
	int fd = open("/proc/self/exe", O_RDONLY | O_CLOEXEC);
	const ElfW(Ehdr) *head = MAP_FAILED;
	const ElfW(Shdr) * section;
	uintptr_t bias = 0;
	struct stat st;

	if (fd < 0)
		return false;
	if (!fstat(fd, &st))
		head = mmap(NULL, (size_t)st.st_size, PROT_READ, MAP_PRIVATE, fd, 0);
	close(fd);
	if (head == MAP_FAILED)
		return false;
	dl_iterate_phdr(first_object, &bias);
	section = (const void *)((const u8 *)head + head->e_shoff);
	for (u32 i = 0; i < head->e_shnum && !table.symbol; i++)
		if (section[i].sh_type == SHT_SYMTAB)
			take((const void *)((const u8 *)head + section[i].sh_offset),
			     section[i].sh_size / sizeof(ElfW(Sym)),
			     (const char *)head + section[section[i].sh_link].sh_offset, bias);
	return table.count;
}

const struct symbol *symbol_at(const void *addr)
{
	uintptr_t at = (uintptr_t)addr;
	size_t low = 0, high = table.count;

	while (low < high) {
		size_t mid = low + (high - low) / 2;

		if (table.symbol[mid].addr <= at)
			low = mid + 1;
		else
			high = mid;
	}
	if (!low || at - table.symbol[low - 1].addr >= table.symbol[low - 1].size)
		return NULL;
	return &table.symbol[low - 1];
}
