import { render } from "preact";
import { startChats } from "./state/chats";
import { startLooking } from "./state/connection";
import { startWatching } from "./state/activity";
import { App } from "./ui/app";
import { startKeys } from "./ui/keys";
import { notify } from "./ui/notices";
import { startLayout } from "./ui/layout";
import "./styles/main.css";

startLooking();
startWatching();
startLayout();
startKeys();
startChats().catch(() => notify("This browser does not let the page keep chats: allow it to store data."));
render(<App />, document.getElementById("app")!);
