/** The formatting tools of the open note. */

import { Icon } from "@corella/app-kit";
import { type KeyboardEvent, useRef } from "react";

import { type Tool, toolGroups } from "../editor/tools";
import type { LiveEditor } from "../hooks/use-editor";

interface ToolbarProps {
  /** Absent for a moment, until the editor is on the page. */
  readonly editor: LiveEditor | undefined;
}

const firstTool = toolGroups[0]?.[0];

/** One stop for the Tab key; the arrow keys lead from tool to tool. */
export function Toolbar({ editor }: ToolbarProps) {
  const bar = useRef<HTMLDivElement>(null);

  const move = (event: KeyboardEvent) => {
    const step = event.key === "ArrowRight" ? 1 : event.key === "ArrowLeft" ? -1 : 0;
    const buttons = [...(bar.current?.querySelectorAll("button") ?? [])];
    const here = buttons.findIndex((button) => button === document.activeElement);
    if (step === 0 || here < 0) {
      return;
    }
    event.preventDefault();
    buttons[(here + step + buttons.length) % buttons.length]?.focus();
  };

  return (
    <div className="toolbar" role="toolbar" aria-label="Formatting" ref={bar} onKeyDown={move}>
      {toolGroups.map((tools) => (
        <span className="toolbar-group" key={tools[0]?.id}>
          {tools.map((tool) => (
            <ToolButton key={tool.id} tool={tool} editor={editor} />
          ))}
        </span>
      ))}
    </div>
  );
}

function ToolButton({ tool, editor }: { readonly tool: Tool; readonly editor: LiveEditor | undefined }) {
  const usable = editor !== undefined && (tool.isUsable ?? tool.command)(editor.state);
  const use = () => {
    if (editor !== undefined) {
      tool.command(editor.view.state, editor.view.dispatch, editor.view);
      editor.view.focus();
    }
  };
  return (
    <button
      type="button"
      className="button-icon"
      aria-label={tool.name}
      aria-pressed={editor && tool.isOn?.(editor.state)}
      // A disabled button would drop the focus of whoever used it last.
      aria-disabled={!usable}
      tabIndex={tool === firstTool ? 0 : -1}
      title={tool.name}
      onMouseDown={(event) => event.preventDefault()}
      onClick={use}
    >
      <Icon name={tool.id} />
    </button>
  );
}
