import { render } from "preact";
import { startChats } from "./state/chats";
import { startLooking } from "./state/connection";
import { startWatching } from "./state/activity";
import { App } from "./ui/app";
import { startKeys } from "./ui/keys";
import { startLayout } from "./ui/layout";
import "./styles/main.css";

startLooking();
startWatching();
startLayout();
startKeys();
void startChats();
render(<App />, document.getElementById("app")!);
