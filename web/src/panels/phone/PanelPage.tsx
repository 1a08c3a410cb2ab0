import { useEffect, useState } from "react";
import * as routes from "../../api/routes";
import { language, useTranslation } from "../../i18n";
import type { Json } from "../../model/json";
import { parseNative } from "../../model/native";
import type { SavedWorkflow, Template } from "../../protocol/generated";
import { runOf, useRun, useServer } from "../../state/server";
import { useWorkspace } from "../../state/workspace";
import { run } from "../commands";
import { Pins } from "../eight/Pins";
import { Prompts } from "../eight/Prompts";
import { SettingsForm } from "../eight/SettingsForm";
import { SamplerChoice } from "../eight/SidePanel";
import { useEight } from "../eight/useEight";
import { picturesOf } from "../gallery/pictures";
import { Icon } from "../Icon";
import { ConnectionNotice } from "../notices/ConnectionNotice";
import { tellFailures } from "../notices/failures";
import { Notices } from "../notices/Notices";
import { attempt, tell } from "../notices/notices";
import { RunAnnouncer } from "../notices/RunAnnouncer";
import { Picture } from "../Picture";
import { stopActive } from "../queue/actions";
import { Progress } from "../queue/QueuePanel";
import "../styles";

/** The settings panel alone, as a simple page: prompt, settings, run, picture. */
export default function PanelPage() {
  const { t } = useTranslation();
  const [chosen, setChosen] = useState<string | null>(null);
  const eight = useEight(chosen);
  useEffect(() => tellFailures(), []);
  return (
    <main className="panel-page">
      <header className="panel-head">
        <h1>{t("phone.title")}</h1>
        <a href="/">{t("phone.editor")}</a>
      </header>
      <WorkflowChoice />
      <LastPicture />
      {eight.found === null ? (
        <p className="panel-empty">{t("eight.noSampler")}</p>
      ) : (
        <>
          <Prompts found={eight.found} />
          <SamplerChoice eight={eight} choose={setChosen} />
          <SettingsForm found={eight.found} />
        </>
      )}
      <Pins />
      <RunLine />
      <ConnectionNotice />
      <RunAnnouncer />
      <Notices />
    </main>
  );
}

/** Which workflow the page is for: saved ones and those that come along. */
function WorkflowChoice() {
  const { t, language } = useTranslation();
  const [saved, setSaved] = useState<readonly SavedWorkflow[]>([]);
  const [templates, setTemplates] = useState<readonly Template[]>([]);
  const [chosen, setChosen] = useState("");
  const open = async (choice: string) => {
    setChosen(choice);
    const name = choice.slice(2);
    const opened = choice.startsWith("w/")
      ? (await attempt(routes.getWorkflow(name)))?.data
      : await attempt(routes.getTemplate(name, language));
    if (opened === undefined) return;
    const { tabs, open: put, close } = useWorkspace.getState();
    put(parseNative(opened.document as unknown as Json), opened.name);
    for (const tab of tabs) close(tab.id);
  };
  // biome-ignore lint/correctness/useExhaustiveDependencies: asked once, when the page opens
  useEffect(() => {
    const wanted = new URLSearchParams(location.search).get("workflow");
    void Promise.all([attempt(routes.listWorkflows()), attempt(routes.listTemplates())]).then(
      ([workflows = [], found = []]) => {
        setSaved(workflows);
        setTemplates(found);
        const first = found[0] === undefined ? "" : `t/${found[0].name}`;
        const choice = wanted === null ? first : `w/${wanted}`;
        if (choice !== "") void open(choice);
      },
    );
  }, []);
  return (
    <label className="prompt-field">
      <span>{t("phone.workflow")}</span>
      <select className="field" value={chosen} onChange={(event) => open(event.target.value)}>
        {saved.map((one) => (
          <option key={one.name} value={`w/${one.name}`}>
            {one.name}
          </option>
        ))}
        {templates.map((one) => (
          <option key={one.name} value={`t/${one.name}`}>
            {one.title[language]}
          </option>
        ))}
      </select>
    </label>
  );
}

function LastPicture() {
  const { t } = useTranslation();
  const tab = useWorkspace((state) => state.active);
  const preview = useServer((state) => runOf(state, tab)?.preview);
  const status = useServer((state) => runOf(state, tab)?.status);
  const job = useServer((state) => state.jobs.get(state.shown.get(tab) ?? ""));
  const file = job === undefined ? undefined : picturesOf(job)[0]?.file;
  const shown = status === "running" && preview != null ? preview : file && routes.viewUrl(file);
  return (
    <div className="panel-page-picture">
      {shown === undefined ? (
        <p>{t("phone.noPicture")}</p>
      ) : (
        <Picture src={shown} alt={t("phone.picture")} />
      )}
    </div>
  );
}

/** Run; if problems keep the workflow from it, the first is told, since no list of them is here. */
async function runOrTell(): Promise<void> {
  if ((await run()) !== null) return;
  const { problems } = useServer.getState();
  const [first] = problems.get(useWorkspace.getState().active) ?? [];
  if (first !== undefined) tell(first.message[language()], "bad");
}

function RunLine() {
  const { t } = useTranslation();
  const shown = useRun();
  const running = shown?.status === "running" || shown?.status === "queued";
  return (
    <div className="panel-page-run">
      {running ? (
        <>
          <Progress job={shown.job} />
          <button type="button" className="button" onClick={() => stopActive()}>
            <Icon name="stop" />
            {t("commands.cancel")}
          </button>
        </>
      ) : null}
      <button type="button" className="button primary" onClick={runOrTell}>
        <Icon name="play" />
        {t("commands.run")}
      </button>
    </div>
  );
}
