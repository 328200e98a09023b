// Chats and messages in the browser's IndexedDB. Every write is one transaction.
import type { Chat, Message } from "../model/types";

const NAME = "plm-chats";
const VERSION = 1;

let opened: Promise<IDBDatabase> | undefined;

function open(): Promise<IDBDatabase> {
  opened ??= new Promise((resolve, reject) => {
    const request = indexedDB.open(NAME, VERSION);
    request.onupgradeneeded = () => {
      request.result.createObjectStore("chats", { keyPath: "id" });
      request.result.createObjectStore("messages", { keyPath: "id" }).createIndex("chat", "chat");
    };
    request.onsuccess = () => {
      // A later version of the page in another tab must not wait for this one.
      request.result.onversionchange = () => request.result.close();
      resolve(request.result);
    };
    request.onerror = () => reject(request.error);
  });
  return opened;
}

function result<T>(request: IDBRequest<T>): Promise<T> {
  return new Promise((resolve, reject) => {
    request.onsuccess = () => resolve(request.result);
    request.onerror = () => reject(request.error);
  });
}

async function write(work: (chats: IDBObjectStore, messages: IDBObjectStore) => void): Promise<void> {
  const transaction = (await open()).transaction(["chats", "messages"], "readwrite");
  work(transaction.objectStore("chats"), transaction.objectStore("messages"));
  return new Promise((resolve, reject) => {
    transaction.oncomplete = () => resolve();
    transaction.onabort = () => reject(transaction.error);
  });
}

export async function loadChats(): Promise<Chat[]> {
  return result((await open()).transaction("chats").objectStore("chats").getAll() as IDBRequest<Chat[]>);
}

export async function loadMessages(chat: string): Promise<Message[]> {
  const store = (await open()).transaction("messages").objectStore("messages");
  return result(store.index("chat").getAll(chat) as IDBRequest<Message[]>);
}

export async function save(chats: readonly Chat[], messages: readonly Message[]): Promise<void> {
  return write((chatStore, messageStore) => {
    for (const chat of chats) chatStore.put(chat);
    for (const message of messages) messageStore.put(message);
  });
}

export async function removeChat(id: string): Promise<void> {
  return write((chats, messages) => {
    chats.delete(id);
    messages.index("chat").openKeyCursor(IDBKeyRange.only(id)).onsuccess = (event) => {
      const cursor = (event.target as IDBRequest<IDBCursor | null>).result;
      if (!cursor) return;
      messages.delete(cursor.primaryKey);
      cursor.continue();
    };
  });
}
