// SPDX-License-Identifier: MIT
/* Places in the program, read with libdw. Layer: report. */
#include "report/source.h"

#include <dwarf.h>
#include <elfutils/libdwfl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

struct source {
	Dwfl *dwfl;
};

/* What is in the program's own file counts; nothing is fetched from anywhere. */
static int no_other_file(Dwfl_Module *mod, void **userdata, const char *modname, Dwarf_Addr base,
			 const char *file_name, const char *debuglink_file, GElf_Word debuglink_crc,
			 char **debuginfo_file_name)
{
	(void)mod;
	(void)userdata;
	(void)modname;
	(void)base;
	(void)file_name;
	(void)debuglink_file;
	(void)debuglink_crc;
	(void)debuginfo_file_name;
	return -1;
}

static const Dwfl_Callbacks callbacks = { .find_elf = dwfl_linux_proc_find_elf,
					  .find_debuginfo = no_other_file };

struct source *source_open(void)
{
	struct source *s = calloc(1, sizeof(*s));

	if (!s)
		return NULL;
	s->dwfl = dwfl_begin(&callbacks);
	if (!s->dwfl || dwfl_linux_proc_report(s->dwfl, getpid()) ||
	    dwfl_report_end(s->dwfl, NULL, NULL)) {
		source_close(s);
		return NULL;
	}
	return s;
}

void source_close(struct source *s)
{
	if (!s)
		return;
	dwfl_end(s->dwfl);
	free(s);
}

/* As the source tree has it, wherever it was built. */
static void set_file(struct source_frame *f, const char *path, u32 line)
{
	static const char *const top[] = { "src/", "include/", "tests/" };
	const char *best = NULL;

	if (!path)
		return;
	for (u32 i = 0; i < sizeof(top) / sizeof(top[0]); i++) {
		const char *at = strstr(path, top[i]);

		if (at && (at == path || at[-1] == '/') && (!best || at < best))
			best = at;
	}
	if (!best)
		best = strrchr(path, '/') ? strrchr(path, '/') + 1 : path;
	snprintf(f->file, sizeof(f->file), "%s", best);
	f->line = line;
}

static struct source_frame *add(struct source_place *out, const char *function)
{
	struct source_frame *f;

	if (out->frames == SOURCE_FRAMES_MAX || !function)
		return NULL;
	f = &out->frame[out->frames++];
	*f = (struct source_frame){ .function = function };
	return f;
}

/* The place of the call that @die, which was inlined, stands for. */
static void set_call_site(struct source_frame *f, Dwarf_Die *die, Dwarf_Die *cu)
{
	Dwarf_Attribute attr;
	Dwarf_Word file, line;
	Dwarf_Files *files;
	size_t count;

	if (dwarf_formudata(dwarf_attr(die, DW_AT_call_file, &attr), &file) ||
	    dwarf_formudata(dwarf_attr(die, DW_AT_call_line, &attr), &line) ||
	    dwarf_getsrcfiles(cu, &files, &count) || file >= count)
		return;
	set_file(f, dwarf_filesrc(files, file, NULL, NULL), (u32)line);
}

static void find_inlined(Dwfl_Module *mod, Dwarf_Addr at, struct source_place *out)
{
	Dwfl_Line *line = dwfl_module_getsrc(mod, at);
	Dwarf_Die *cu, *inner = NULL, *scopes = NULL;
	struct source_frame *f;
	Dwarf_Addr bias;
	int number = 0, n;

	cu = dwfl_module_addrdie(mod, at, &bias);
	n = cu ? dwarf_getscopes(cu, at - bias, &scopes) : 0;
	for (int i = 0; i < n; i++) {
		int tag = dwarf_tag(&scopes[i]);

		if (tag != DW_TAG_inlined_subroutine && tag != DW_TAG_subprogram)
			continue;
		f = add(out, dwarf_diename(&scopes[i]));
		if (!f)
			break;
		if (out->frames == 1 && line) {
			const char *file = dwfl_lineinfo(line, NULL, &number, NULL, NULL, NULL);

			set_file(f, file, (u32)number);
		} else if (inner) {
			set_call_site(f, inner, cu);
		}
		inner = &scopes[i];
		/* Behind it come the scopes of where the function was written. */
		if (tag == DW_TAG_subprogram)
			break;
	}
	free(scopes);
}

void source_find(struct source *s, const void *pc, struct source_place *out)
{
	Dwarf_Addr at = (Dwarf_Addr)(uintptr_t)pc - 1;
	Dwfl_Module *mod = s && pc ? dwfl_addrmodule(s->dwfl, at) : NULL;

	out->frames = 0;
	if (!mod)
		return;
	find_inlined(mod, at, out);
	if (!out->frames)
		add(out, dwfl_module_addrname(mod, at));
}
